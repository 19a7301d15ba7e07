"""The networks of the paper: Table 2, the smaller ones of Table 1, and those of MNIST-1K."""

from reference_trainer.networks.building import Networks, build_networks
from reference_trainer.networks.description import LayerRow, describe
from reference_trainer.networks.discriminator import Critique, Discriminator
from reference_trainer.networks.generator import Generator

__all__ = [
    "Critique",
    "Discriminator",
    "Generator",
    "LayerRow",
    "Networks",
    "build_networks",
    "describe",
]
