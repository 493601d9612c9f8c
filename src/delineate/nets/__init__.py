"""The U-Net and its parts: blocks, down-sampling, up-sampling. Plain torch modules, usable alone."""

from delineate.nets.blocks import Block, folded
from delineate.nets.sampling import DOWN, UP
from delineate.nets.unet import UNet

__all__ = ["DOWN", "UP", "Block", "UNet", "folded"]
