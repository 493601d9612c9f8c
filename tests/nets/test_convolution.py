"""The other way to the gradients of weights: the same numbers, taken only where it is shorter."""

import pytest
import torch
from torch import nn

from delineate.nets import UNet, convolution
from delineate.nets.convolution import Convolution2d, gains


def last(*shape: int) -> torch.Tensor:
    return torch.randn(*shape).contiguous(memory_format=torch.channels_last)


@pytest.fixture
def taken(monkeypatch):
    """The other way is taken whatever the processor; how often is counted."""
    calls = []
    monkeypatch.setattr(convolution, "gains", lambda maps: calls.append(maps.shape) or True)
    return calls


@pytest.mark.parametrize(
    "about",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2},
        {"kernel_size": 1},
        {"kernel_size": 3, "padding": 1, "groups": 2},
    ],
)
def test_gradients_are_those_of_torch(taken, about):
    torch.manual_seed(0)
    ours = Convolution2d(4, 6, bias=False, **about)
    theirs = nn.Conv2d(4, 6, bias=False, **about)
    theirs.load_state_dict(ours.state_dict())
    one = last(2, 4, 33, 40).requires_grad_()
    other = one.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    by = last(*ours(one).shape)
    (ours(one) * by).sum().backward()
    (theirs(other) * by).sum().backward()
    torch.testing.assert_close(one.grad, other.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-4)
    assert taken


def test_only_what_is_asked_for_is_computed(taken):
    net = Convolution2d(2, 3, 3, padding=1, bias=False)
    net.weight.requires_grad_(False)
    image = last(1, 2, 8, 8).requires_grad_()
    net(image).sum().backward()
    assert net.weight.grad is None
    assert image.grad is not None
    net.weight.requires_grad_()
    net(last(1, 2, 8, 8)).sum().backward()
    assert net.weight.grad is not None


def test_it_is_left_alone_outside_of_training_and_with_a_bias(taken):
    Convolution2d(2, 3, 3, bias=False).eval()(last(1, 2, 8, 8))
    Convolution2d(2, 3, 3)(last(1, 2, 8, 8))
    Convolution2d(2, 3, 3, padding=1, padding_mode="reflect", bias=False)(last(1, 2, 8, 8))
    Convolution2d(2, 3, 3, padding="same", bias=False)(last(1, 2, 8, 8))
    assert not taken


def test_a_whole_network_learns_the_same(taken, monkeypatch):
    torch.manual_seed(0)
    net, image = UNet(1, 2, width=4, levels=3).to(memory_format=torch.channels_last), last(2, 1, 32, 32)
    net(image).square().mean().backward()
    ours = [weight.grad.clone() for weight in net.parameters()]
    assert taken
    net.zero_grad()
    monkeypatch.setattr(convolution, "gains", lambda maps: False)
    net(image).square().mean().backward()
    for one, weight in zip(ours, net.parameters(), strict=True):
        torch.testing.assert_close(one, weight.grad, rtol=1e-3, atol=1e-5)


def test_where_it_is_shorter(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert gains(last(1, 2, 32, 32))
    assert not gains(last(1, 2, 31, 32)), "copies of small maps do not pay"
    assert not gains(torch.randn(1, 2, 64, 64)), "its channels are first already"
    assert not gains(last(1, 2, 64, 64).bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not gains(last(1, 2, 64, 64))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert not gains(last(1, 2, 64, 64))
