"""Anybody's torch module as the subject of an audit, whatever it returns and whatever sizes it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from delineate.audits.subject import Subject, at_rest
from delineate.core import ClassTable, ModelError
from delineate.data.problem import listed
from delineate.inference.coarse import enlarged, fraction_of, told
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

    The scores may be logits or probabilities, alone, in a tuple or list (the first that fits is taken) or in a dict (under
    "out" or "logits", else the first that fits). Where they are of a whole fraction of the size of the image, a quarter say,
    they are interpolated linearly, and `notes` of the subject say so. classes: numbered where None. channels: where None,
    those of its first convolution, if it takes an image of so many. A grey picture stored in three equal channels is one of
    one channel to a module of one. white: the raw intensity that the module sees as 1. divisor: images are padded at their
    ends, by repeating the edge, to multiples of this, and the answer is cut back. reach_px: how far from a pixel its answer
    depends on the image, half the receptive field; where None, the audit of shifts does not tell the neighbourhood of edges
    apart. The module is asked in evaluation mode, and is otherwise left as it was.
    A module that takes one size alone has that as its divisor. Raises ModelError for another number of classes than `classes`
    has, and, at the latest when asked, for channels and answers that do not fit and where the module fails.

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

    by = 1
    try:
        example, answer = _tried(logits, channels or 1, dims, divisor, device)
        with at_rest(module), torch.inference_mode():
            by = fraction_of(_scores(module(example), example, name).shape[2:], example.shape[2:]) or 1
    except ModelError:
        if classes is None:
            raise
    else:
        classes = classes or ClassTable.numbered(answer.shape[1])
        if len(classes) != answer.shape[1]:
            raise ModelError(
                f"{name} answers with {answer.shape[1]} classes but {len(classes)} were named ({listed(classes.names)}): name "
                "those that it answers with, in their order"
            )
    return Subject(
        name,
        classes,
        dims=dims,
        channels=channels,
        divisor=divisor,
        reach_px=reach_px,
        predict=predict,
        logits=logits,
        network=module,
        through=through,
        notes=(told(name, by),) if by > 1 else (),
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
    for example in _examples(first.in_channels, dims, divisor, device):
        with contextlib.suppress(Exception), at_rest(module), torch.inference_mode():
            module(example)  # anybody's code; what it says is told when it is asked in earnest
            return first.in_channels
    return None


def _tried(
    logits: Callable[[Tensor], Tensor], channels: int, dims: int, divisor: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """An image that it takes, and its logits; raises ModelError as `logits` does where it takes none."""
    refused = list[ModelError]()
    for example in _examples(channels, dims, divisor, device):
        try:
            with torch.inference_mode():
                return example, logits(example)
        except ModelError as error:
            if error.__cause__ is None:  # it took the image, and what it answered does not fit
                raise
            refused.append(error)
    raise refused[0]


def _examples(channels: int, dims: int, divisor: int, device: torch.device) -> Iterator[Tensor]:
    """Images to try a module on: of twice its divisor, and, for one that takes no other size, of once."""
    for times in (2, 1):
        yield torch.zeros(1, channels, *(times * divisor,) * dims, device=device)


def scores_in(answer: Any, images: Tensor, name: str) -> Tensor:
    """The first tensor of an answer that has one value per class and pixel; else the largest that has one per class and block of
    pixels, interpolated."""
    scores = _scores(answer, images, name)
    return scores if scores.shape[2:] == images.shape[2:] else enlarged(scores, images.shape[2:])


def _scores(answer: Any, images: Tensor, name: str) -> Tensor:
    """The scores in an answer, at the size that they have there."""
    found: Sequence[Any] = [answer]
    if isinstance(answer, Mapping):
        usual = [answer[key] for key in ("out", "logits") if key in answer]
        found = usual[:1] or list(answer.values())
    elif isinstance(answer, (tuple, list)):
        found = answer
    tensors = [one for one in found if isinstance(one, Tensor) and one.ndim == images.ndim]
    sides = images.shape[2:]
    if same := [one for one in tensors if one.shape[2:] == sides]:
        return same[0].float()
    if coarse := [one for one in tensors if fraction_of(one.shape[2:], sides)]:
        return max(coarse, key=lambda one: one.shape[2:].numel()).float()
    given = listed(" x ".join(map(str, one.shape)) for one in found if isinstance(one, Tensor))
    raise ModelError(
        f"{name} gives {given or 'no tensor'} for {' x '.join(map(str, images.shape))}: wrap it so that it returns one logit (or "
        "probability) per class and pixel, at the size of the image or a whole fraction of it"
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
