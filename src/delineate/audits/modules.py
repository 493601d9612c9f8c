"""Anybody's torch module as the subject of an audit, whatever it returns and whatever sizes it takes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from delineate.audits.scores import as_logits, at_place, check_scores, place_of, scores_in
from delineate.audits.subject import Subject, at_rest
from delineate.core import ClassTable, ModelError
from delineate.data.grey import as_grey
from delineate.data.problem import listed
from delineate.inference.answers import Outputs, outputs_of, shown
from delineate.inference.coarse import enlarged, fraction_of, told
from delineate.inference.engines import cut


def subject_of_module(
    module: nn.Module,
    *,
    classes: ClassTable | None = None,
    channels: int | None = None,
    dims: int = 2,
    divisor: int = 32,
    white: float = 255.0,
    outputs: Outputs | None = None,
    reach_px: int | None = None,
    name: str = "the module",
) -> Subject:
    """A module that maps (n, channels, *spatial) to one score per class and pixel, (n, classes or 1, *spatial).

    The scores may be logits or probabilities, alone, in a tuple or list (the first that fits is taken) or in a dict (under
    "out" or "logits", else the first that fits). Where they are of a whole fraction of the size of the image, a quarter say,
    they are interpolated linearly, and `notes` of the subject say so. classes: numbered where None. channels: where None,
    those of its first convolution, if it takes an image of so many. A grey picture stored in three equal channels is one of
    one channel to a module of one. white: the raw intensity that the module sees as 1. outputs: what the scores are; where None,
    it is seen once, by its answers to black, white and noise, and `notes` say what was seen. divisor: images are padded at their
    ends, by repeating the edge, to multiples of this, and the answer is cut back. reach_px: how far from a pixel its answer
    depends on the image, half the receptive field; where None, the audit of shifts does not tell the neighbourhood of edges
    apart. The module is asked in evaluation mode, and is otherwise left as it was.
    A module that takes one size alone has that as its divisor. Raises ModelError for another number of classes than `classes`
    has, and, at the latest when asked, for channels and answers that do not fit, for what is no probability of a module that
    gives such, and where the module fails.

    >>> subject = subject_of_module(nn.Conv2d(1, 2, 1), divisor=8)
    >>> subject.asked()(np.zeros((5, 9, 1), np.uint8)).shape
    (2, 5, 9)
    """
    like = next((one for one in module.parameters() if one.is_floating_point()), torch.zeros(0))
    if channels is None:
        channels = _taken(module, dims, divisor, like)

    def asking(one: nn.Module) -> Callable[[Tensor], Tensor]:
        def scores(images: Tensor) -> Tensor:
            """As the module gives them, logits or probabilities, at the size of the images."""
            if channels is not None and images.shape[1] != channels:
                raise ModelError(
                    f"the image has {images.shape[1]} channels but {name} takes {channels}: convert the image"
                )
            sides = images.shape[2:]
            short = [pad for side in reversed(sides) for pad in (0, -side % divisor)]
            padded = F.pad(images / white, short, mode="replicate") if any(short) else images / white
            try:
                with at_rest(one):
                    answer = one(padded.to(like.dtype))
            except Exception as error:  # anybody's code: it may raise anything
                said = (str(error).splitlines() or [""])[0][:160]
                raise ModelError(
                    f"{name} fails on {' x '.join(map(str, padded.shape))} ({type(error).__name__}: {said}): correct it, or "
                    "name its channels and the divisor of its sizes to `delineate.audits.subject_of_module`"
                ) from error
            found = scores_in(answer, padded, name)
            for axis, side in enumerate(sides):
                found = found.narrow(axis + 2, 0, side)
            return found

        return scores

    scores = asking(module)
    if outputs is None:
        outputs = _seen(scores, channels or 1, dims, divisor, white, like)

    def read(found: Tensor) -> Tensor:
        return as_logits(found, outputs, name=name)

    def through(one: nn.Module) -> Callable[[Tensor], Tensor]:
        asked = asking(one)
        return lambda images: read(asked(images))

    logits = through(module)

    def likely(plane: Tensor) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) of one picture (channels, *spatial)."""
        found = scores(plane[None])
        check_scores(found, name)
        return np.asarray(read(found)[0].softmax(0).cpu().numpy(), np.float32)

    def predict(image: NDArray[Any]) -> NDArray[np.float32]:
        if image.ndim not in (dims + 1, 4):
            raise ModelError(
                f"the image has shape {image.shape} but {name} works on {dims} spatial axes: give (*spatial, channels)"
            )
        image = as_grey(image) if channels == 1 else image
        raw = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0), np.float32)).to(like.device)
        planes = raw.unbind(1) if image.ndim - 1 > dims else [raw]
        with torch.inference_mode():
            answers = [likely(plane) for plane in planes]
        return np.stack(answers, axis=1) if image.ndim - 1 > dims else answers[0]

    by = 1
    try:
        example, answer = _tried(logits, channels or 1, dims, divisor, like)
        with at_rest(module), torch.inference_mode():
            given = module(example)
            by = (
                fraction_of(at_place(given, place_of(given, example, name)).shape[2:], example.shape[2:]) or 1
            )
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
        read=read,
        notes=(
            *((told(name, by),) if by > 1 else ()),
            f"{name} is given images divided by {white:g}, and its answers are read as {outputs or 'what they look like'}.",
        ),
    )


class Plain(nn.Module):
    """A module with a single tensor as its answer, the scores, and for images of any size: what other programs take.

    images: like those to come, of a size that it takes. What of its answer the scores are is found on them once, for a program
    that traces it can take no choice along.
    """

    def __init__(self, module: nn.Module, images: Tensor, *, divisor: int = 1) -> None:
        super().__init__()
        self.module, self.divisor = module, divisor
        with at_rest(module), torch.inference_mode():
            answer = module(images)
        self.place = place_of(answer, images, "the module")
        self.coarse = at_place(answer, self.place).shape[2:] != images.shape[2:]

    def forward(self, images: Tensor) -> Tensor:
        """Scores (n, classes or 1, *spatial) of images (n, channels, *spatial)."""
        sides = images.shape[2:]
        short = [pad for side in reversed(sides) for pad in (0, -side % self.divisor)]
        padded = F.pad(images, short, mode="replicate") if self.divisor > 1 else images
        scores = at_place(self.module(padded), self.place).float()
        if self.coarse:
            scores = enlarged(scores, padded.shape[2:])
        return cut(scores, tuple(slice(0, side) for side in sides)) if self.divisor > 1 else scores


def _taken(module: nn.Module, dims: int, divisor: int, like: Tensor) -> int | None:
    """The channels of an image that it takes, as the kernels of its first convolution say; None where such an image is not
    taken."""
    first = next((one for one in module.parameters() if one.ndim == dims + 2), None)
    if first is None:
        return None
    for example in _examples(first.shape[1], dims, divisor, like):
        with contextlib.suppress(Exception), at_rest(module), torch.inference_mode():
            module(example)  # anybody's code; what it says is told when it is asked in earnest
            return first.shape[1]
    return None


def _tried(
    logits: Callable[[Tensor], Tensor], channels: int, dims: int, divisor: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """An image that it takes, and its logits; raises ModelError as `logits` does where it takes none."""
    refused = list[ModelError]()
    for example in _examples(channels, dims, divisor, like):
        try:
            with torch.inference_mode():
                return example, logits(example)
        except ModelError as error:
            if error.__cause__ is None:  # it took the image, and what it answered does not fit
                raise
            refused.append(error)
    raise refused[0]


def _examples(channels: int, dims: int, divisor: int, like: Tensor) -> Iterator[Tensor]:
    """Images to try a module on: of twice its divisor, and, for one that takes no other size, of once."""
    for times in (2, 1):
        yield torch.zeros(1, channels, *(times * divisor,) * dims, device=like.device, dtype=like.dtype)


def _seen(
    scores: Callable[[Tensor], Tensor],
    channels: int,
    dims: int,
    divisor: int,
    white: float,
    like: Tensor,
) -> Outputs | None:
    """What a module's answers to black, white and noise are; None where it takes no such images."""
    for black in _examples(channels, dims, divisor, like):
        with contextlib.suppress(ModelError), torch.inference_mode():
            return outputs_of([scores(one * white) for one in shown(black)])
    return None
