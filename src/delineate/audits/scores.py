"""What a module answered with: where in its answer the scores are, and whether they are logits or probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from delineate.core import ModelError
from delineate.data.problem import listed
from delineate.inference.answers import Outputs, check_outputs, look_like_probabilities
from delineate.inference.coarse import enlarged, fraction_of


def scores_in(answer: Any, images: Tensor, name: str) -> Tensor:
    """The scores in an answer to images, (n, classes or 1, *spatial); where they are coarser, interpolated."""
    scores = at_place(answer, place_of(answer, images, name)).float()
    return scores if scores.shape[2:] == images.shape[2:] else enlarged(scores, images.shape[2:])


def at_place(answer: Any, place: Any) -> Tensor:
    scores: Tensor = answer if place is None else answer[place]
    return scores


def place_of(answer: Any, images: Tensor, name: str) -> Any:
    """Where in an answer its scores are, None where they are all of it: the first tensor with one number per class and pixel;
    else the largest with one per class and block of pixels."""
    found: dict[Any, Any] = {None: answer}
    if isinstance(answer, Mapping):
        usual = [key for key in ("out", "logits") if key in answer]
        found = {key: answer[key] for key in usual[:1] or answer}
    elif isinstance(answer, (tuple, list)):
        found = dict(enumerate(answer))
    tensors = {key: one for key, one in found.items() if isinstance(one, Tensor)}
    smaller = {
        key: by
        for key, one in tensors.items()
        if one.is_floating_point()
        and one.ndim == images.ndim
        and len(one) == len(images)
        and (by := fraction_of(one.shape[2:], images.shape[2:]))
    }
    if smaller:
        return min(smaller, key=smaller.__getitem__)
    given = listed(
        " x ".join(map(str, one.shape)) + ("" if one.is_floating_point() else " whole numbers")
        for one in tensors.values()
    )
    raise ModelError(
        f"{name} gives {given or 'no tensor'} for {' x '.join(map(str, images.shape))}: wrap it so that it returns one logit (or "
        "probability) per class and pixel, at the size of the image or a whole fraction of it"
    )


def check_scores(scores: Tensor, name: str) -> None:
    """Raise ModelError for scores of an image that are not finite, and for probabilities of several classes at once: these lie
    between 0 and 1, as logits hardly ever do that come near both.

    >>> check_scores(torch.tensor([[[0.99, 0.01], [0.99, 0.02]]]), "net")
    Traceback (most recent call last):
    delineate.core.errors.ModelError: net gives probabilities that do not sum to 1, several classes per pixel: wrap it ...
    """
    if not bool(scores.isfinite().all()):
        raise ModelError(
            f"{name} gives values that are not finite: it may want images of another range than 0 to 1 (`white`), or be damaged"
        )
    least, most = float(scores.min()), float(scores.max())
    several = scores.shape[1] > 1 and bool(((scores.sum(1) - 1).abs() > 0.01).any())
    if several and 0 <= least < 0.05 and 0.95 < most <= 1:
        raise ModelError(
            f"{name} gives probabilities that do not sum to 1, several classes per pixel: wrap it so that it ends in a softmax "
            "over the classes, or gives logits"
        )


def as_logits(scores: Tensor, outputs: Outputs | None = None, *, name: str = "the module") -> Tensor:
    """Logits of at least two classes (n, classes, *spatial) from scores (n, classes or 1, *spatial).

    outputs: None for what they look like: probabilities lie between 0 and 1 and sum to 1, or are a single channel of such.
    Interpolation may carry probabilities a little beyond 0 and 1, which is cut off. Raises ModelError for probabilities that
    are none.

    >>> as_logits(torch.tensor([[[0.25]]])).exp().flatten().tolist()
    [0.75, 0.25]
    """
    check_outputs(
        scores, outputs, name, remedy="say outputs='logits' to `delineate.audits.subject_of_module`"
    )
    alike = outputs == "probabilities" or (outputs is None and look_like_probabilities(scores))
    if not alike:
        return torch.cat([torch.zeros_like(scores), scores], dim=1) if scores.shape[1] == 1 else scores
    likely = scores.clamp(0, 1)
    return (torch.cat([1 - likely, likely], dim=1) if scores.shape[1] == 1 else likely).clamp_min(1e-7).log()
