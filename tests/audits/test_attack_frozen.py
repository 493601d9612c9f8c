"""A prepared network is the same function with the same slope; only sooner."""

import pytest
import torch
from torch import nn

from delineate.audits.attack.frozen import Convolution, answering, prepared
from delineate.nets import DOWN, UP, UNet, folded


def slope(net: nn.Module, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The answer to an image, and the slope of the sum of its squares."""
    point = image.clone().requires_grad_()
    answer = net(point)
    (found,) = torch.autograd.grad(answer.square().sum(), point)
    return answer.detach(), found


def net_of(**settings: object) -> nn.Module:
    torch.manual_seed(0)
    return folded(UNet(1, 3, width=8, levels=3, **settings)).requires_grad_(False)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("shuffle", [1, 2])
def test_a_prepared_network_has_the_slope_that_torch_finds(dims, shuffle):
    net, image = net_of(dims=dims, shuffle=shuffle), torch.rand(2, 1, *(12, 22, 9)[-dims:])
    answer, found = slope(net, image)
    faster = prepared(net_of(dims=dims, shuffle=shuffle))
    assert any(isinstance(module, Convolution) for module in faster.modules())
    for size in (image, image[:1], image):  # kernels are laid out again for other shapes
        now, there = slope(faster, size)
        torch.testing.assert_close(now, answer[: len(size)], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(there, found[: len(size)], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("down", DOWN)
@pytest.mark.parametrize("up", UP)
def test_every_way_to_sample_keeps_its_slope(down, up):
    image = torch.rand(1, 1, 17, 22)
    expected, got = slope(net_of(down=down, up=up), image), slope(prepared(net_of(down=down, up=up)), image)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_what_wraps_or_strides_is_left_as_it_is():
    net = prepared(net_of(equivariant=True, down="strided"))
    assert not any(isinstance(block, Convolution) for block in net.first)
    odd = prepared(
        nn.Sequential(
            nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 2, padding="same")
        )
    )
    assert not any(isinstance(module, Convolution) for module in odd)


def test_a_relu_is_taken_along_only_where_it_comes_next():
    chain = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Tanh(), nn.Conv2d(2, 2, 1), nn.Identity(), nn.ReLU()).eval()
    image = torch.randn(1, 1, 4, 4)
    expected = slope(chain, image)
    found = slope(prepared(chain), image)
    torch.testing.assert_close(found, expected)
    assert isinstance(chain[4], nn.Identity)


def test_a_head_that_answers_less_answers_the_same():
    head, x = nn.Conv2d(4, 12, 1), torch.rand(1, 4, 3, 3)
    torch.testing.assert_close(answering(head, 8)(x), head(x)[:, :8])
