"""A prepared network is the same function with the same slope; only sooner."""

import importlib

import pytest
import torch
from torch import nn

from delineate.audits import subject_of_module
from delineate.audits.attack import quick
from delineate.audits.attack.frozen import Convolution, Hastened, answering, prepared
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


class Particular(nn.Module):
    """Takes float32 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x + torch.zeros(1, dtype=torch.float32)) if x.dtype == torch.float32 else x[0]


def test_anybodys_module_is_climbed_through_a_copy_that_says_the_same():
    torch.manual_seed(0)
    module, images = UNet(1, 2, width=8, levels=3), 255 * torch.rand(1, 1, 21, 32)
    subject = subject_of_module(module, channels=1)
    expected, got = slope(subject.logits, images), slope(quick(subject), images)
    assert (expected[0].argmax(1) == got[0].argmax(1)).float().mean() > 0.97
    assert torch.nn.functional.cosine_similarity(expected[1].flatten(), got[1].flatten(), 0) > 0.99
    assert all(weight.dtype == torch.float32 for weight in module.parameters())
    assert module.training


def test_a_module_that_cannot_be_copied_into_another_type_is_climbed_as_it_is():
    torch.manual_seed(0)
    subject, images = subject_of_module(Particular(), channels=1), 255 * torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(slope(quick(subject, low=True), images), slope(subject.logits, images))


def test_weights_that_are_computed_anew_at_each_call_are_left_to_torch():
    torch.manual_seed(0)
    normed = nn.Sequential(torch.nn.utils.spectral_norm(nn.Conv2d(1, 2, 3, padding=1)), nn.ReLU())
    assert not any(isinstance(module, Convolution) for module in Hastened(normed, torch.float32).modules())


def test_where_the_processor_has_no_kernels_in_bfloat16_convolutions_stay_torchs_own(monkeypatch):
    module = importlib.import_module("delineate.audits.attack.frozen")  # `attack` has a function of that name
    monkeypatch.setattr(module, "_lays_out_bfloat16", lambda: False)
    copy = Hastened(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU()), torch.bfloat16)
    assert not any(isinstance(module, Convolution) for module in copy.modules())
    assert copy(torch.rand(1, 1, 5, 7)).dtype == torch.bfloat16
