"""The classifier of MNIST digits: data, training, weights, and the stacked sets it is tested on."""

from pgan_toolkit.evaluation.digits.data import Digits, load_mnist
from pgan_toolkit.evaluation.digits.settings import DigitTraining
from pgan_toolkit.evaluation.digits.training import TrainedDigits, train_digits
from pgan_toolkit.evaluation.digits.weights import load_classifier, save_classifier

__all__ = [
    "DigitTraining",
    "Digits",
    "TrainedDigits",
    "load_classifier",
    "load_mnist",
    "save_classifier",
    "train_digits",
]
