"""Predicting with an ONNX file, exported by Delineate or by anybody else.

A sidecar of the same name (`model.onnx`, `model.json`) says what the file cannot: classes, halo, divisor, normalisation.
Without one, what can be read off the graph is read off, the rest is assumed and said: see `assumed`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.core import ClassTable, DataError, ModelError, check_pixels, tempered
from delineate.data.problem import counted
from delineate.inference.answers import Outputs, as_probabilities, check_outputs, outputs_of
from delineate.inference.coarse import enlarged, fraction_of, told
from delineate.inference.engines import cut
from delineate.inference.objects import objects_by_class
from delineate.inference.tiles import tiled
from delineate.learn.objects import LEARNT, apart
from delineate.learn.sidecar import Sidecar, black_white_noise, made_ready, read_sidecar

WHOLE = {2: 2048, 3: 160}  # images up to this size along each axis are not cut
CORE = {2: 1024, 3: 96}
HALO, DIVISOR = {2: 128, 3: 32}, 32  # where nobody tells
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


class OnnxModel:
    """An ONNX file as a method that predicts (it cannot be taught).

    Raises ModelError for a graph that is not understood, with what it would have to be.
    """

    name = "onnx"

    def __init__(self, path: Path, *, tell: Callable[[str], None] | None = None) -> None:
        try:
            from delineate.inference.engines.onnxruntime import session

            self._session = session(path)
        except ImportError as error:
            raise ModelError("ONNX files are run by onnxruntime: pip install 'delineate[export]'") from error
        self.path = path
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise ModelError(
                f"{path} has {len(inputs)} inputs ({', '.join(i.name for i in inputs)}): export it with the image alone"
            )
        self._input = inputs[0]
        shape = self._input.shape
        if self._input.type not in TYPES or len(shape) not in (4, 5):
            raise ModelError(
                f"the input of {path} is {_shape(shape)} of {self._input.type}: export it as floats, batch x channels x "
                "(depth x) height x width"
            )
        if len(shape) == 4 and shape[3] in (1, 3, 4) and shape[1] not in (1, 3, 4):
            raise ModelError(
                f"the input of {path} is {_shape(shape)}, channels last: export it with channels first"
            )
        self.dims = len(shape) - 2
        self.channels = shape[1] if isinstance(shape[1], int) else None
        self._fixed = tuple(n if isinstance(n, int) else None for n in shape[2:])
        self._batch = shape[0] if isinstance(shape[0], int) else 1
        beside = path.with_suffix(".json")
        self.sidecar = read_sidecar(beside) if beside.is_file() else Sidecar()
        self.divisor = self.sidecar.divisor or DIVISOR
        self._by_itself = self.sidecar.inside and self.sidecar.statistics
        self._outputs = self.sidecar.outputs
        self._smaller = 1  # by how much than its image an answer is
        outputs = [output.name for output in self._session.get_outputs()]
        self._offsets = outputs.index("offsets") if "offsets" in outputs else None
        self._probe = tuple(n or 2 * DIVISOR for n in self._fixed)
        self._count = len(self._ran(np.zeros((self.channels or 1, *self._probe), np.float32), probe=True))
        count = max(2, self._count)
        if self.sidecar.names and len(self.sidecar.names) != count:
            raise ModelError(
                f"{beside} names {len(self.sidecar.names)} classes but {path} gives {count}: correct the sidecar"
            )
        self.classes = (
            ClassTable(self.sidecar.names, self.sidecar.colours)
            if self.sidecar.names
            else ClassTable.numbered(count)
        )

        self.notes = tuple(
            ([] if beside.is_file() else [assumed(path, self.dims)])
            + ([told(path.name, self._smaller)] if self._smaller > 1 else [])
        )
        if tell:
            for note in self.notes:
                tell(note)

    def predict(
        self, image: NDArray[Any], *, flips: bool = False, tile: int | None = None
    ) -> NDArray[np.float32]:
        """Probabilities (classes, *spatial) float32 for an image (*spatial, channels)."""
        return self.answered(image, flips=flips, tile=tile)[: len(self.classes)]

    def outline(
        self, image: NDArray[Any], *, flips: bool = False, tile: int | None = None, watershed: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Probabilities (classes, *spatial) and object ids (*spatial): by offsets, or else as `UNetMethod.outline`."""
        answer = self.answered(image, flips=flips, tile=tile)
        likely, offsets = answer[: len(self.classes)], answer[len(self.classes) :]
        labels = likely.argmax(0)
        smallest = 0 if self.dims == 2 and image.ndim == 4 else self.sidecar.smallest_px
        if not len(offsets):
            return likely, apart(labels, smallest_px=smallest, watershed=watershed)
        if watershed:
            raise ModelError(LEARNT)
        radius_px = self.sidecar.radius_px
        said = tempered(likely, temperature=1 / self.sidecar.temperature)  # see `identified`
        return likely, objects_by_class(labels, said, offsets, radius_px=radius_px, smallest_px=smallest)

    def answered(
        self, image: NDArray[Any], *, flips: bool = False, tile: int | None = None
    ) -> NDArray[np.float32]:
        """Probabilities, then offsets where the model gives them: (classes [+ dims], *spatial)."""
        check_pixels(image)
        if flips:
            raise DataError("an ONNX model is not averaged over mirrored images: leave --tta out")
        if tile is not None and tile < 1:
            raise ModelError(
                f"tiles of {tile} pixels cannot be cut: give a positive number of pixels, or none"
            )
        if image.ndim - 1 not in (self.dims, 3) or 0 in image.shape:
            raise ModelError(
                f"the image has shape {image.shape} but {self.path.name} works on {self.dims} spatial axes: give "
                "(*spatial, channels)"
            )
        if self.channels == 1 and image.shape[-1] == 3 and (image == image[..., :1]).all():
            image = image[..., :1]  # a grey picture stored in colour
        if self.channels is not None and image.shape[-1] != self.channels:
            raise ModelError(
                f"the image has {counted(image.shape[-1], 'channel')} but {self.path.name} takes {self.channels}: "
                "convert the image"
            )
        ready = torch.from_numpy(np.ascontiguousarray(made_ready(image, self.sidecar)))
        if self.dims == 2 and image.ndim == 4:
            return np.stack([self._whole(plane, tile) for plane in ready.unbind(1)], axis=1)
        return self._whole(ready, tile)

    def _whole(self, picture: Tensor, tile: int | None) -> NDArray[np.float32]:
        """The picture (channels, *spatial) at once where that is possible, else in tiles."""
        sides = tuple(picture.shape[1:])
        pieces = [self._pieces(fixed, side, tile) for fixed, side in zip(self._fixed, sides, strict=True)]
        core, halos = zip(*pieces, strict=True)
        if self._by_itself and any(c < side for c, side in zip(core, sides, strict=True)):
            raise ModelError(
                f"{self.path.name} normalises what it is given by its own statistics, so tiles would differ in brightness: "
                "predict without --tile, or export it with --no-normalisation"
            )

        def run(window: Tensor, part: tuple[slice, ...]) -> Tensor:
            return cut(torch.from_numpy(self._ran(window[0].numpy()))[None], part)

        return tiled(run, picture, core=core, halo=halos).numpy()

    def _pieces(self, fixed: int | None, side: int, tile: int | None) -> tuple[int, int]:
        """Core and halo of windows along an axis: multiples of the divisor, on the network's grid, unless one holds it all.

        fixed: the graph's length along the axis, which a divisor cannot exceed; None where it is free.
        """
        free = fixed is None and tile is None
        if side <= (fixed or 0) or (free and (self._by_itself or side <= WHOLE[self.dims])):
            return side, 0
        divisor = min(self.divisor, fixed or self.divisor)
        around = _up(HALO[self.dims] if self.sidecar.halo is None else self.sidecar.halo, divisor)
        if fixed is None:
            core = _up(tile or CORE[self.dims], divisor)
        else:
            if fixed < 2 * around + divisor:
                around = fixed // 4 // divisor * divisor  # as much context as a small window can give
            core = (fixed - 2 * around) // divisor * divisor
        return core, around if core < side else 0

    def _ran(self, window: NDArray[np.float32], *, probe: bool = False) -> NDArray[np.float32]:
        """Outputs (classes [+ dims], *spatial) of one window (channels, *spatial), padded to a size the graph takes."""
        sides = window.shape[1:]
        wanted = [
            fixed if fixed is not None else side if self.sidecar.any_size else _up(side, self.divisor)
            for fixed, side in zip(self._fixed, sides, strict=True)
        ]
        short = [(0, n - side) for n, side in zip(wanted, sides, strict=True)]
        padded = np.pad(window, [(0, 0), *short], mode="edge") if any(n for _, n in short) else window
        batch = np.repeat(padded[None], self._batch, axis=0).astype(TYPES[self._input.type])
        try:
            outputs = self._session.run(None, {self._input.name: batch})
        except Exception as error:
            raise ModelError(
                f"{self.path} fails on {_shape(list(batch.shape))} ({_first_line(error)}): name its divisor in "
                f"{self.path.with_suffix('.json').name}, or export it for any size"
            ) from error
        pictures = [out for i, out in enumerate(outputs) if i != self._offsets and np.ndim(out) == batch.ndim]
        fitting = {
            by: out
            for out in reversed(pictures)
            if (by := fraction_of(out.shape[2:], batch.shape[2:])) and out.dtype.kind == "f"
        }
        if not fitting:
            raise ModelError(
                f"{self.path} gives {', '.join(_shape(list(out.shape)) for out in outputs)} for {_shape(list(batch.shape))}: "
                "export it with one probability (or logit) per class and pixel, at the size of its input or a "
                "whole fraction of it"
            )
        self._smaller = min(fitting)
        inside = tuple(slice(0, side) for side in sides)
        answer = fitting[self._smaller][:1].astype(np.float32)
        if self._smaller > 1:
            answer = enlarged(torch.from_numpy(answer), batch.shape[2:]).numpy()
        logits = answer[(0, slice(None), *inside)]
        if probe:
            return np.asarray(logits, np.float32)
        likely = self._likely(logits)
        if self._offsets is None:
            return likely
        return np.concatenate([likely, outputs[self._offsets][(0, slice(None), *inside)].astype(np.float32)])

    def _likely(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities from probabilities, from logits, or from the one channel of a two-class model.

        Which it is, the sidecar says, or the answers to black, white and noise tell.
        """
        if not np.isfinite(values).all():
            raise ModelError(
                f"{self.path} gives values that are not finite: its normalisation may be another"
            )
        if self._outputs is None:
            self._outputs = self._seen()
        scores = torch.from_numpy(values)[None]
        beside = self.path.with_suffix(".json").name
        check_outputs(scores, self._outputs, str(self.path), remedy=f'say "outputs": "logits" in {beside}')
        return as_probabilities(scores, self._outputs)[0].numpy()

    def _seen(self) -> Outputs:
        """What it answers with; raises ModelError for probabilities of several classes at once, which do not sum to 1."""
        pictures = black_white_noise((self.channels or 1, *self._probe), self.sidecar)
        answers = [torch.from_numpy(self._ran(one, probe=True))[None] for one in pictures]
        outputs = outputs_of(answers)
        if outputs == "logits" and all(float(one.min()) >= 0 and float(one.max()) <= 1 for one in answers):
            raise ModelError(
                f"{self.path} gives probabilities that do not sum to 1, several classes per pixel: export it with a "
                "softmax over the classes"
            )
        return outputs


def assumed(path: Path, dims: int) -> str:
    """What is taken for granted of a file without a sidecar, as a sentence.

    >>> print(assumed(Path("a/net.onnx"), 2))
    net.onnx has no sidecar net.json: its classes are numbered, unsigned integers are divided by the largest of their type
    (255, 65535), other images are given as they are, and images of more than 2048 px are cut with 128 px of context
    """
    return (
        f"{path.name} has no sidecar {path.with_suffix('.json').name}: its classes are numbered, unsigned integers are "
        "divided by the largest of their type (255, 65535), other images are given as they are, and images of more than "
        f"{WHOLE[dims]} px are cut with {HALO[dims]} px of context"
    )


def _up(length: int, divisor: int) -> int:
    """The least multiple of the divisor that is no less."""
    return -(-length // divisor) * divisor


def _shape(shape: list[Any]) -> str:
    return " x ".join(str(n) if isinstance(n, (int, str)) else "any" for n in shape)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
