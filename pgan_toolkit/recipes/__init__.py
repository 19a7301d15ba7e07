"""Ready recipes: from the published files of CelebA, LSUN, CIFAR-10 and MNIST to training sets."""

from collections.abc import Mapping

from pgan_toolkit.recipes.celeba import CELEBA
from pgan_toolkit.recipes.cifar import CIFAR10
from pgan_toolkit.recipes.lsun import LSUN
from pgan_toolkit.recipes.mnist import MNIST
from pgan_toolkit.recipes.order import Order, Recipe
from pgan_toolkit.recipes.pictures import Pictures
from pgan_toolkit.recipes.preparing import Prepared, prepare

__all__ = ["RECIPES", "Order", "Pictures", "Prepared", "Recipe", "prepare"]

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in (CELEBA, CIFAR10, LSUN, MNIST)}
"""Recipes by their names."""
