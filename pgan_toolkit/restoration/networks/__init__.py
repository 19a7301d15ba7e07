"""The networks that restore photographs, and the discriminator that trains one of them."""

from pgan_toolkit.restoration.networks.discriminator import Discriminator, DiscriminatorConfig
from pgan_toolkit.restoration.networks.red_net import RedNet, RedNetConfig
from pgan_toolkit.restoration.networks.sr_resnet import SRResNet, SRResNetConfig
from pgan_toolkit.restoration.networks.widening import widened

__all__ = [
    "Discriminator",
    "DiscriminatorConfig",
    "RedNet",
    "RedNetConfig",
    "SRResNet",
    "SRResNetConfig",
    "widened",
]
