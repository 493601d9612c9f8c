"""Networks of which only the slope with respect to their input is asked: their weights stand still, and that saves time.

The gradient of a convolution with respect to its input is a convolution too, by the kernel turned round with its channels
exchanged. Where weights never change both kernels are brought into the order that oneDNN computes in once, not at each call,
and ReLU is taken along in the same pass. The slope is the same as torch's own, within the rounding of its type.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from delineate.nets import folded
from delineate.nets.convolution import Convolution2d
from delineate.nets.equivariant import layout_of
from delineate.nets.sampling import Linear, Nearest

PLAIN = (nn.Conv2d, nn.Conv3d, Convolution2d)  # others may compute something else


def frozen(module: nn.Module) -> nn.Module:
    """The module itself, in evaluation mode, with weights that ask for no gradient."""
    return module.eval().requires_grad_(False)


def prepared(net: nn.Module) -> nn.Module:
    """The network itself, frozen, its convolutions (followed by ReLU or not) replaced by prepared ones where there is a way:
    those of stride 1 that keep the size, on a CPU, where oneDNN has kernels for their type (in bfloat16 for a part of the
    processors alone). Its weights must not change after that.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()).eval()
    >>> image = torch.rand(1, 1, 5, 7)
    >>> before = net(image)
    >>> torch.allclose(prepared(net)(image), before, atol=1e-6)
    True
    """
    frozen(net)
    for module in net.modules():
        if isinstance(module, Linear | Nearest):
            module.register_forward_hook(_whole_slope)
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return net
    for parent in list(net.modules()):
        children = list(parent.named_children())
        for i, (name, child) in enumerate(children):
            if not _fits(child):
                continue
            after = [one for one in children[i + 1 :] if not isinstance(one[1], nn.Identity)]
            relu = isinstance(parent, nn.Sequential) and bool(after) and isinstance(after[0][1], nn.ReLU)
            setattr(parent, name, Convolution(cast(Any, child), relu=relu))
            if relu:
                setattr(parent, after[0][0], nn.Identity())
    return net


def answering(head: nn.Conv2d | nn.Conv3d, count: int) -> nn.Conv2d | nn.Conv3d:
    """A convolution that answers with the first `count` channels of `head` alone, with weights that ask for no gradient.

    >>> answering(nn.Conv2d(3, 8, 1), 2)
    Conv2d(3, 2, kernel_size=(1, 1), stride=(1, 1))
    """
    result = type(head)(head.in_channels, count, cast(Any, head.kernel_size), bias=head.bias is not None)
    result.weight = nn.Parameter(head.weight[:count].detach(), requires_grad=False)
    if head.bias is not None:
        result.bias = nn.Parameter(head.bias[:count].detach(), requires_grad=False)
    return result


class Hastened(nn.Module):
    """A copy of anybody's module, prepared, channels last and in `dtype`: (n, channels, *spatial) float32 in, what it says out.

    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2))
    >>> Hastened(net, torch.bfloat16)(torch.rand(1, 1, 5, 7)).dtype
    torch.bfloat16
    """

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype, copy = dtype, cast(Any, folded(module)).to(dtype)
        if all(weight.ndim != 5 for weight in copy.parameters()):
            copy = copy.to(memory_format=torch.channels_last)
        self.module = prepared(copy)

    def forward(self, images: Tensor) -> Any:
        """What the module answers."""
        layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
        return self.module(images.to(self.dtype).contiguous(memory_format=layout))


def _whole_slope(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
    """Its slope is a part of that of a concatenation: interpolation goes through it many times faster once it is copied."""
    if output.requires_grad:
        layout = layout_of(output)
        output.register_hook(lambda slope: slope.contiguous(memory_format=layout))  # type: ignore[no-untyped-call]


def _fits(module: nn.Module) -> bool:
    if not isinstance(module, (nn.Conv2d, nn.Conv3d)) or type(module) not in PLAIN:
        return False
    if module._forward_pre_hooks or module._forward_hooks:  # such as compute the weights anew
        return False
    dims, sides = module.weight.ndim - 2, tuple(module.weight.shape[2:])
    return (
        (*module.stride, *module.dilation, module.groups) == (1,) * (2 * dims + 1)
        and module.padding == tuple((side - 1) / 2 for side in sides)
        and module.padding_mode == "zeros"
        and module.weight.device.type == "cpu"
        and (module.weight.dtype is not torch.bfloat16 or _lays_out_bfloat16())
    )


def _lays_out_bfloat16() -> bool:
    """Whether oneDNN brings weights in bfloat16 into its own order here; where it cannot, it raises."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Convolution(nn.Module):
    """A convolution with weights that stand still, and the ReLU that follows it. (n, channels, *spatial) in and out."""

    def __init__(self, plain: nn.Conv2d | nn.Conv3d, *, relu: bool) -> None:
        super().__init__()
        weight = plain.weight.detach()
        self.there = _Kernel(weight, plain.bias, relu=relu)
        self.back = _Kernel(weight.flip(tuple(range(2, weight.ndim))).transpose(0, 1), None, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same size."""
        return cast(Tensor, _Convolved.apply(x, self.there, self.back))  # type: ignore[no-untyped-call]


class _Kernel:
    """Weights (out, in, *sides) in the order that suits the inputs which came last."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, relu: bool) -> None:
        dims = weight.ndim - 2
        layout = torch.channels_last if dims == 2 else torch.channels_last_3d
        self.weight, self.bias, self.relu = weight.contiguous(memory_format=layout), bias, relu
        self.padding, self.ones = [side // 2 for side in weight.shape[2:]], [1] * dims
        self.ordered, self.suits = self.weight, torch.Size()

    def __call__(self, x: Tensor) -> Tensor:
        if x.shape != self.suits:
            self.ordered = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, self.padding, self.ones, self.ones, 1, list(x.shape)
            )
            self.suits = x.shape
        how = "relu" if self.relu else "none"
        return cast(
            Tensor,
            torch.ops.mkldnn._convolution_pointwise(
                x, self.ordered, self.bias, self.padding, self.ones, self.ones, 1, how, [], ""
            ),
        )


class _Convolved(torch.autograd.Function):
    """A convolution whose gradient stops at its weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: _Kernel, back: _Kernel) -> Tensor:
        y = there(x)
        ctx.back, ctx.relu = back, there.relu
        if there.relu:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        if ctx.relu:
            slope = torch.ops.aten.threshold_backward(slope, *ctx.saved_tensors, 0)
        return ctx.back(slope), None, None
