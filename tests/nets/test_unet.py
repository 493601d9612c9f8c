"""The U-Net keeps any size, its halo is exact, and folding its batch norms changes nothing."""

import itertools
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from delineate.nets import DOWN, UP, UNet, folded
from delineate.nets.joined import joined
from delineate.nets.shuffle import blocks_to_channels, channels_to_blocks

WAYS = list(itertools.product(DOWN, UP))


def settled(net: UNet, *, seed: int = 0) -> UNet:
    """The net in evaluation mode and float64, with batch norms that hold statistics of their own."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
            module.running_mean.copy_(torch.rand(module.running_mean.shape, generator=generator) - 0.5)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return net.double().eval()


@pytest.mark.parametrize(("down", "up"), WAYS)
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (16, 16), (33, 18)])
def test_any_size_in_two_dimensions_is_kept(down, up, size):
    net = settled(UNet(2, 3, dims=2, width=4, levels=4, down=down, up=up))
    assert net(torch.rand(1, 2, *size).double()).shape == (1, 3, *size)


@pytest.mark.parametrize(("down", "up"), WAYS)
def test_any_size_in_three_dimensions_is_kept(down, up):
    net = settled(UNet(1, 2, dims=3, width=2, levels=3, down=down, up=up))
    assert net(torch.rand(1, 1, 5, 9, 6).double()).shape == (1, 2, 5, 9, 6)


@pytest.mark.parametrize(("down", "up"), WAYS)
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_the_halo_holds_all_context_and_is_no_larger_than_needed(down, up, levels):
    net = settled(UNet(1, 1, dims=2, width=2, levels=levels, down=down, up=up))
    for (
        module
    ) in net.modules():  # positive weights and no zeros from ReLU: every dependence shows in the gradient
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            module.weight.data.abs_()
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.fill_(-1.0)
    core, halo = 2 * net.divisor, net.halo
    margin = halo + 2 * net.divisor
    side = core + 2 * margin
    image = torch.rand(1, 1, side, 1).double().expand(1, 1, side, side).clone().requires_grad_()
    net(image)[..., margin : margin + core, margin : margin + core].sum().backward()
    touched = np.flatnonzero(image.grad[0, 0].abs().sum(1).numpy())
    if down == "strided":  # a maximum passes its gradient to one pixel only, and hides the others
        assert margin - touched[0] > halo - net.divisor
    assert margin - touched[0] <= halo
    assert touched[-1] + 1 - (margin + core) <= halo


@pytest.mark.parametrize(("down", "up"), WAYS)
def test_a_tile_with_its_halo_equals_the_whole(down, up):
    net = settled(UNet(1, 2, dims=2, width=4, levels=3, down=down, up=up))
    image = torch.rand(1, 1, 120, 41).double()
    whole = net(image)
    start, stop = 40, 72
    tile = net(image[:, :, start - net.halo : stop + net.halo])
    torch.testing.assert_close(
        tile[:, :, net.halo : net.halo + stop - start], whole[:, :, start:stop], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (40, 33)])
def test_shuffled_blocks_keep_any_size_and_their_tiles_equal_the_whole(size):
    net = settled(UNet(2, 3, dims=2, width=4, levels=3, shuffle=2))
    assert net.divisor == 8
    assert net(torch.rand(1, 2, *size).double()).shape == (1, 3, *size)
    image = torch.rand(1, 2, 161, 21).double()
    whole = net(image)
    tile = net(image[:, :, 64 - net.halo : 80 + net.halo])
    torch.testing.assert_close(tile[:, :, net.halo : net.halo + 16], whole[:, :, 64:80], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dims", [2, 3])
def test_an_empty_batch_gives_an_empty_answer(dims):
    net = settled(UNet(2, 3, dims=dims, width=4, levels=2, shuffle=2))
    assert net(torch.zeros(0, 2, *(6, 5, 7)[:dims]).double()).shape == (0, 3, *(6, 5, 7)[:dims])


def test_shuffled_blocks_are_those_of_torch():
    image = torch.rand(2, 3, 6, 8)
    torch.testing.assert_close(blocks_to_channels(image, 2), F.pixel_unshuffle(image, 2))
    places = torch.rand(2, 12, 3, 5)
    torch.testing.assert_close(channels_to_blocks(places, 2), F.pixel_shuffle(places, 2))


def test_shuffled_blocks_work_in_three_dimensions():
    net = settled(UNet(1, 2, dims=3, width=2, levels=2, shuffle=2))
    assert net(torch.rand(1, 1, 5, 9, 6).double()).shape == (1, 2, 5, 9, 6)


@pytest.mark.parametrize("dims", [2, 3])
def test_folding_batch_norm_keeps_the_output_and_the_original(dims):
    net = settled(UNet(2, 3, dims=dims, width=4, levels=3))
    image = torch.rand(1, 2, *(9, 10, 11)[:dims]).double()
    before = net(image)
    light = folded(net)
    assert not any(isinstance(m, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)) for m in light.modules())
    torch.testing.assert_close(light(image), before, rtol=0, atol=1e-12)
    torch.testing.assert_close(net(image), before, rtol=0, atol=0)


@pytest.mark.parametrize("down", DOWN)
@pytest.mark.parametrize("up", UP)
def test_a_network_can_be_sent_to_another_process(down, up):
    net, image = UNet(1, 2, width=2, levels=2, down=down, up=up).eval(), torch.rand(1, 1, 7, 9)
    assert torch.equal(pickle.loads(pickle.dumps(net))(image), net(image))


def test_without_skips_the_decoder_sees_only_the_coarse_path():
    net = settled(UNet(1, 1, dims=2, width=2, levels=2, skips=False))
    assert net.decoders[0][0].in_channels == 2
    assert UNet(1, 1, dims=2, width=2, levels=2).decoders[0][0].in_channels == 4
    assert net(torch.rand(1, 1, 7, 5).double()).shape == (1, 1, 7, 5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dims": 4},
        {"levels": 0},
        {"levels": "3"},
        {"width": 0},
        {"width": 2.5},
        {"widest": 0},
        {"down": "average"},
        {"up": "cubic"},
    ],
)
def test_a_setting_that_cannot_be_built_is_refused(wrong):
    with pytest.raises(ValueError, match=r"choose|give"):
        UNet(1, 2, **wrong)


@pytest.mark.parametrize("shuffle", [1, 2])
@pytest.mark.parametrize(("down", "up"), WAYS)
def test_a_part_is_that_part_of_the_whole(down, up, shuffle):
    torch.manual_seed(0)
    net = settled(UNet(2, 3, dims=2, width=4, levels=4, down=down, up=up, shuffle=shuffle))
    image = torch.rand(1, 2, 101, 143).double()
    with torch.no_grad():
        whole = net(image)
        for rows, columns in (
            ((0, 101), (0, 143)),
            ((33, 50), (64, 97)),
            ((90, 101), (0, 1)),
            ((17, 18), (142, 143)),
        ):
            part = net.part(image, (slice(*rows), slice(*columns)))
            torch.testing.assert_close(part, whole[..., slice(*rows), slice(*columns)], rtol=0, atol=1e-12)


def test_a_part_of_a_volume_costs_less():
    torch.manual_seed(0)
    net = folded(UNet(1, 2, dims=3, width=2, levels=3))
    image = torch.rand(1, 1, 40, 44, 48)
    keep = (slice(16, 24), slice(15, 30), slice(20, 21))
    with torch.no_grad():
        with FlopCounterMode(display=False) as all_of_it:
            whole = net(image)
        with FlopCounterMode(display=False) as some:
            part = net.part(image, keep)
    torch.testing.assert_close(part, whole[(..., *keep)], rtol=0, atol=1e-5)
    assert some.get_total_flops() < 0.6 * all_of_it.get_total_flops()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_joined_maps_have_the_gradients_of_a_concatenation_whole_in_memory(layout):
    first, second = torch.rand(2, 4, 6, 8, requires_grad=True), torch.rand(2, 3, 6, 8, requires_grad=True)
    weight = torch.rand(2, 7, 6, 8).contiguous(memory_format=layout)
    maps = joined(first, second, training=True)
    expected = torch.cat([first, second], dim=1)
    assert torch.equal(maps, expected)
    for found, true in zip(
        torch.autograd.grad(maps, (first, second), weight),
        torch.autograd.grad(expected, (first, second), weight),
        strict=True,
    ):
        assert torch.equal(found, true)
        assert found.is_contiguous(memory_format=layout)
        assert not true.is_contiguous(memory_format=layout)
