"""The classifier of MNIST digits: data, training, weights, and the stacked sets it is tested on."""

from pgan_toolkit.evaluation.digits.bundled import bundled_classifier, bundled_digits
from pgan_toolkit.evaluation.digits.counting import count_modes
from pgan_toolkit.evaluation.digits.data import Digits, Split, load_mnist
from pgan_toolkit.evaluation.digits.settings import DigitTraining
from pgan_toolkit.evaluation.digits.stacked import STACKED_SIZES_PX, stacked_digits
from pgan_toolkit.evaluation.digits.training import TrainedDigits, train_digits
from pgan_toolkit.evaluation.digits.weights import load_classifier, save_classifier

__all__ = [
    "STACKED_SIZES_PX",
    "DigitTraining",
    "Digits",
    "Split",
    "TrainedDigits",
    "bundled_classifier",
    "bundled_digits",
    "count_modes",
    "load_classifier",
    "load_mnist",
    "save_classifier",
    "stacked_digits",
    "train_digits",
]
