"""Networks that answer at a fraction of the size of their image, a quarter say: their scores, brought to its size.

Whoever uses such a network (SegFormer, Xie et al. 2021, arXiv:2105.15203, and most that end without an up-sampling) interpolates
its logits linearly before the largest one is taken. Whatever asks a foreign network here does the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

COARSEST = 32  # a smaller answer is no picture any more
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def fraction_of(answer: Sequence[int], sides: Sequence[int]) -> int | None:
    """The whole number by which the sides of an answer are smaller than those of its image, the same along each axis.

    1 where they are as large; None where there is no such number up to 32. A side that is no multiple may have been rounded.

    >>> fraction_of((16, 24), (64, 96)), fraction_of((76, 8), (303, 32)), fraction_of((388, 388), (572, 572))
    (4, 4, None)
    """
    if len(answer) != len(sides) or 0 in answer:
        return None
    by = round(max(side / small for side, small in zip(sides, answer, strict=True)))
    fits = all(small in (side // by, -(-side // by)) for side, small in zip(sides, answer, strict=True))
    return by if 1 <= by <= COARSEST and fits else None


def enlarged(scores: Tensor, sides: Sequence[int]) -> Tensor:
    """Scores (n, classes, *coarse) as (n, classes, *sides), interpolated linearly between the middles of their blocks.

    >>> import torch
    >>> enlarged(torch.tensor([[[0.0, 4.0]]]), [4]).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """
    return F.interpolate(scores, size=list(sides), mode=LINEAR[len(sides)], align_corners=False)


def told(name: str, by: int) -> str:
    """What is done, in a sentence.

    >>> told("net.onnx", 4)
    'net.onnx answers at 1/4 of the size of an image: its scores are interpolated linearly to full size.'
    """
    return f"{name} answers at 1/{by} of the size of an image: its scores are interpolated linearly to full size."
