"""Cutting an image into tiles changes nothing, whatever the image and whatever the tiles."""

import numpy as np
import pytest
import torch

from delineate.inference import tiled
from delineate.inference.tiles import tiles
from delineate.nets import UNet, folded


def part_of(net):
    """A network as tiles ask for it, all of each window computed."""
    return lambda window, part: net(window)[(..., *part)]


@pytest.mark.parametrize(("down", "up"), [("max", "linear"), ("strided", "transposed"), ("blur", "nearest")])
@pytest.mark.parametrize("size", [(61, 83), (40, 124), (1, 77)])
def test_tiled_equals_whole_in_two_dimensions(down, up, size):
    torch.manual_seed(0)
    net = UNet(2, 3, dims=2, width=4, levels=3, down=down, up=up).eval()
    image = torch.rand(2, *size)
    with torch.no_grad():
        whole = net(image[None])[0]
        for core in (net.divisor, 16, 40, 128):
            cut = tiled(part_of(net), image, core=(core, core), halo=(net.halo, net.halo))
            torch.testing.assert_close(cut, whole, rtol=0, atol=1e-4)


def test_tiled_equals_whole_in_three_dimensions():
    torch.manual_seed(0)
    net = folded(UNet(1, 2, dims=3, width=2, levels=3))
    image = torch.rand(1, 19, 33, 26)
    with torch.no_grad():
        whole = net(image[None])[0]
        cut = tiled(part_of(net), image, core=(8, 16, 12), halo=(net.halo,) * 3)
    torch.testing.assert_close(cut, whole, rtol=0, atol=1e-4)


def test_without_its_halo_a_tile_would_differ():
    torch.manual_seed(0)
    net = UNet(1, 2, dims=2, width=4, levels=3).eval()
    image = torch.rand(1, 64, 64)
    with torch.no_grad():
        whole = net(image[None])[0]
        cut = tiled(part_of(net), image, core=(16, 16), halo=(0, 0))
    assert (cut - whole).abs().max() > 1e-3


def test_every_pixel_is_kept_exactly_once():
    counts = np.zeros((23, 17), int)
    for tile in tiles((23, 17), core=(5, 8), halo=(2, 3)):
        counts[tile.keep] += 1
        assert np.zeros((23, 17))[tile.read][tile.inside].shape == np.zeros((23, 17))[tile.keep].shape
    assert (counts == 1).all()


def test_an_image_without_pixels_is_refused():
    with pytest.raises(ValueError, match="no pixels"):
        tiled(lambda x, part: x, torch.zeros(1, 0, 4), core=(2, 2), halo=(0, 0))
