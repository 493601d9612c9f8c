"""Convolutions, with a shorter way to the gradients of their weights on processors that have AVX2 alone.

There oneDNN takes these gradients, of float32 maps whose channels lie last, at 10 to 40 GFLOP/s, where the other two passes
of the same convolution reach 60 to 90. From copies whose channels lie first it takes them at 40 to 55, which pays for the
copies of maps that are not small. In volumes it is the other way round; on processors with AVX-512 it was not measured, and
all is as torch has it.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

PLACES = 32 * 32  # of a map, from which on copies pay


class Convolution2d(nn.Conv2d):
    """nn.Conv2d; in training on a CPU the gradient of its weights may take another way to the same numbers.

    >>> ours, theirs = Convolution2d(2, 3, 3, padding=1, bias=False), nn.Conv2d(2, 3, 3, padding=1, bias=False)
    >>> _ = theirs.load_state_dict(ours.state_dict())
    >>> image = torch.rand(1, 2, 32, 32).contiguous(memory_format=torch.channels_last)
    >>> for convolution in (ours, theirs):
    ...     convolution(image).square().sum().backward()
    >>> torch.allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-4)
    True
    """

    def forward(
        self,
        input: Float[Tensor, "batch in_channels rows columns"],  # noqa: A002
    ) -> Float[Tensor, "batch out_channels rows columns"]:
        """As nn.Conv2d."""
        plain = self.bias is None and self.padding_mode == "zeros" and not isinstance(self.padding, str)
        if self.training and plain and gains(input):
            about = (self.stride, self.padding, self.dilation, self.groups)
            return cast(Tensor, _Convolved.apply(input, self.weight, *about))  # type: ignore[no-untyped-call]
        return super().forward(input)


def gains(maps: Float[Tensor, "batch channels rows columns"]) -> bool:
    """Whether the gradient of weights is sooner there if copies of these maps have their channels first."""
    return (
        maps.device.type == "cpu"
        and maps.dtype == torch.float32
        and maps.shape[-2] * maps.shape[-1] >= PLACES
        and maps.is_contiguous(memory_format=torch.channels_last)
        and torch.backends.cpu.get_cpu_capability() == "AVX2"
        and not torch.is_autocast_enabled("cpu")
    )


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, *about: Any) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.about = about
        stride, padding, dilation, groups = about
        return torch.conv2d(maps, weight, None, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.about
        of_maps, of_weight, *_ = ctx.needs_input_grad

        def back(one: Tensor, other: Tensor, kernel: Tensor, wanted: list[bool]) -> tuple[Tensor, ...]:
            given = (one, other, kernel, None, stride, padding, dilation, False, [0, 0], groups, wanted)
            return cast("tuple[Tensor, ...]", torch.ops.aten.convolution_backward(*given))

        first = back(gradient, maps, weight, [True, False, False])[0] if of_maps else None
        second = (
            back(gradient.contiguous(), maps.contiguous(), weight.contiguous(), [False, True, False])[1]
            if of_weight
            else None
        )
        return first, second, None, None, None, None
