"""Anybody's torch module as the subject of an audit, whatever it returns and whatever sizes it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from delineate.audits.subject import Subject, at_rest
from delineate.core import ClassTable, ModelError
from delineate.learn.prepare import as_grey


def subject_of_module(
    module: nn.Module,
    *,
    classes: ClassTable | None = None,
    channels: int | None = None,
    dims: int = 2,
    divisor: int = 32,
    white: float = 255.0,
    reach_px: int | None = None,
    name: str = "the module",
) -> Subject:
    """A module that maps (n, channels, *spatial) to one score per class and pixel, (n, classes or 1, *spatial).

    The scores may be logits or probabilities, alone, in a tuple or list (the first that fits is taken) or in a dict.
    classes: numbered where None. channels: where None, those of its first convolution, if it takes an image of so many. A grey
    picture stored in three equal channels is one of one channel to a module of one. white: the raw intensity that the module
    sees as 1. divisor: images are padded at their ends, by repeating the edge, to multiples of this, and the answer is cut back.
    reach_px: how far from a pixel its answer depends on the image, half the receptive field; where None, the audit of shifts
    does not tell the neighbourhood of edges apart. The module is asked in evaluation mode, and is otherwise left as it was.
    Raises ModelError, when asked, for channels and answers that do not fit and where the module fails.

    >>> subject = subject_of_module(nn.Conv2d(1, 2, 1), divisor=8)
    >>> subject.asked()(np.zeros((5, 9, 1), np.uint8)).shape
    (2, 5, 9)
    """
    first = next(module.parameters(), None)
    device = torch.device("cpu") if first is None else first.device

    if channels is None:
        channels = _taken(module, dims, divisor, device)

    def through(one: nn.Module) -> Callable[[Tensor], Tensor]:
        def logits(images: Tensor) -> Tensor:
            if channels is not None and images.shape[1] != channels:
                raise ModelError(
                    f"the image has {images.shape[1]} channels but {name} takes {channels}: convert the image"
                )
            sides = images.shape[2:]
            short = [pad for side in reversed(sides) for pad in (0, -side % divisor)]
            padded = F.pad(images / white, short, mode="replicate") if any(short) else images / white
            try:
                with at_rest(one):
                    answer = one(padded)
            except Exception as error:  # anybody's code: it may raise anything
                said = (str(error).splitlines() or [""])[0][:160]
                raise ModelError(
                    f"{name} fails on {' x '.join(map(str, padded.shape))} ({type(error).__name__}: {said}): correct it, or "
                    "name its channels and the divisor of its sizes"
                ) from error
            scores = scores_in(answer, padded, name)
            for axis, side in enumerate(sides):
                scores = scores.narrow(axis + 2, 0, side)
            return as_logits(scores)

        return logits

    logits = through(module)

    def predict(image: NDArray[Any]) -> NDArray[np.float32]:
        if image.ndim not in (dims + 1, 4):
            raise ModelError(
                f"the image has shape {image.shape} but {name} works on {dims} spatial axes: give (*spatial, channels)"
            )
        image = as_grey(image) if channels == 1 else image
        raw = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0), np.float32)).to(device)
        planes = raw.unbind(1) if image.ndim - 1 > dims else [raw]
        with torch.inference_mode():
            answers = [logits(plane[None])[0].softmax(0).cpu().numpy() for plane in planes]
        return np.stack(answers, axis=1) if image.ndim - 1 > dims else answers[0]

    table = classes or ClassTable.numbered(_counted(logits, channels or 1, dims, divisor, device))
    return Subject(
        name,
        table,
        dims=dims,
        channels=channels,
        divisor=divisor,
        reach_px=reach_px,
        predict=predict,
        logits=logits,
        network=module,
        through=through,
    )


class Plain(nn.Module):
    """A module with a single tensor as its answer, the scores: what other programs take."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """Scores (n, classes or 1, *spatial) of images (n, channels, *spatial)."""
        return scores_in(self.module(images), images, "the module")


def _taken(module: nn.Module, dims: int, divisor: int, device: torch.device) -> int | None:
    """The channels of an image that it takes, as its first convolution says; None where such an image is not taken."""
    first = next((one for one in module.modules() if isinstance(one, (nn.Conv2d, nn.Conv3d))), None)
    if first is None:
        return None
    try:
        with at_rest(module), torch.inference_mode():
            module(torch.zeros(1, first.in_channels, *(2 * divisor,) * dims, device=device))
    except Exception:  # anybody's code; what it says is told when it is asked in earnest
        return None
    return first.in_channels


def _counted(logits: Any, channels: int, dims: int, divisor: int, device: torch.device) -> int:
    """The number of classes that it answers with."""
    with torch.inference_mode():
        return int(logits(torch.zeros(1, channels, *(2 * divisor,) * dims, device=device)).shape[1])


def scores_in(answer: Any, images: Tensor, name: str) -> Tensor:
    """The first tensor of an answer that has one value per class and pixel."""
    found: Sequence[Any] = [answer]
    if isinstance(answer, Mapping):
        found = [answer["out"]] if "out" in answer else list(answer.values())
    elif isinstance(answer, (tuple, list)):
        found = answer
    for one in found:
        if isinstance(one, Tensor) and one.ndim == images.ndim and one.shape[2:] == images.shape[2:]:
            return one.float()
    raise ModelError(
        f"{name} gives nothing of the size of its input {' x '.join(map(str, images.shape[2:]))}: wrap it so that it returns one "
        "logit (or probability) per class and pixel"
    )


def as_logits(scores: Tensor) -> Tensor:
    """Logits of at least two classes; probabilities are those between 0 and 1 that sum to 1, or a single channel of such.

    >>> as_logits(torch.tensor([[[0.25]]])).exp().flatten().tolist()
    [0.75, 0.25]
    """
    within = bool((scores.detach() >= 0).all()) and bool((scores.detach() <= 1).all())
    if scores.shape[1] == 1:
        if not within:
            return torch.cat([torch.zeros_like(scores), scores], dim=1)
        scores = torch.cat([1 - scores, scores], dim=1)
    elif not within or not torch.allclose(scores.detach().sum(1), torch.ones(()).to(scores), atol=1e-2):
        return scores
    return scores.clamp_min(1e-7).log()
