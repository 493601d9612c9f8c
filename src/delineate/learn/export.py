"""A learnt model for other programs: an ONNX file, an OpenVINO model, each with a sidecar, and checked against torch.

Everything that a program has to know is in the graph or in the sidecar `model.json`. Nothing is written before the
graph gave, on real images of several sizes, what Delineate itself gives.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import DataError, ModelError, new_folder, written_whole
from delineate.data.samples import coin_picture
from delineate.inference.engines.openvino import library, smallest_side
from delineate.inference.onnx import INPUT, write_onnx
from delineate.learn.answer import answered, ready, seen
from delineate.learn.engine import engine_of, weights_print
from delineate.learn.learnt import Learnt
from delineate.learn.portable import Portable

FORMAT, VERSION = "delineate-export", 1
SIDECAR = "model.json"
MOST_APART = 2e-3  # of a probability, or of an offset in object radii; ten times what rounding does
SIDE = {2: 512, 3: 96}  # images are checked up to this size along each axis, at most
AXES = {2: ("y", "x"), 3: ("z", "y", "x")}

Answers = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]
"""What a graph is to the check: raw intensities (n, channels, *spatial) to its outputs."""


@dataclass(frozen=True)
class Checked:
    """How far a graph is from torch in float32. images, sizes: on how many; furthest: largest difference of a probability.

    offsets_px: largest difference of an offset, in pixels.
    """

    images: int
    sizes: int
    furthest: float
    offsets_px: float

    def __str__(self) -> str:
        images = f"{self.images} image{'s' if self.images > 1 else ''}"
        return f"probabilities differ from torch by {self.furthest:.1g} at most, on {images} of {self.sizes} sizes"


def exported(
    learnt: Learnt,
    folder: Path,
    images: Sequence[NDArray[Any]],
    *,
    name: str = "model",
    onnx: bool = True,
    openvino: bool = False,
    normalise: bool = True,
) -> dict[str, Checked]:
    """Write model.onnx and (or) model.xml with model.bin, and model.json, into the new folder; returns what was checked.

    images: (*spatial, channels), one or more, on which each graph must give what torch gives. normalise: False leaves
    the normalisation to the program, which can then cut images into tiles.
    Raises ModelError where a package is missing, a graph differs or the model is equivariant, DataError without images;
    nothing is written then.
    """
    if not images:
        raise DataError("an exported model is checked on real images: give at least one")
    if learnt.plan.equivariant:
        raise ModelError(
            "an equivariant model chooses its grids as it goes, which no ONNX or OpenVINO graph of any size holds: use it with "
            "Delineate, or train one with --down blur to export"
        )
    portable = Portable(learnt, normalise=normalise)
    example = torch.zeros(1, learnt.plan.channels, *(16,) * learnt.plan.dims)
    checks: dict[str, Checked] = {}
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        path = write_onnx(portable, Path(scratch) / "model.onnx", example=example, outputs=portable.outputs)
        files = []
        if onnx:
            checks["onnx"] = checked(learnt, _onnx_answers(path), images, what="ONNX", normalise=normalise)
            files.append(path)
        if openvino:
            xml = _write_openvino(path)
            answers, least = _openvino_answers(xml), smallest_side(learnt.net)
            checks["openvino"] = checked(
                learnt, answers, images, what="OpenVINO", normalise=normalise, least=least
            )
            files += [xml, xml.with_suffix(".bin")]
        new_folder(folder)
        for file in files:
            with written_whole(folder / file.name) as beside:
                shutil.copyfile(file, beside)
    about = sidecar(learnt, name=name, normalise=normalise)
    about["files"] = [file.name for file in files]
    about["checked"] = {"against": f"torch {torch.__version__}, float32"} | {
        graph: asdict(check) for graph, check in checks.items()
    }
    about["smallest_side"] = {
        graph: smallest_side(learnt.net) if graph == "openvino" else 1 for graph in checks
    }
    with written_whole(folder / SIDECAR) as beside:
        beside.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return checks


def sidecar(learnt: Learnt, *, name: str, normalise: bool) -> dict[str, Any]:
    """What a program has to know of the graph, as plain values; lengths along axes are in array order."""
    plan, record = learnt.plan, learnt.record
    axes = ["batch", "channel", *AXES[plan.dims]]
    outputs: list[dict[str, Any]] = [
        {
            "name": "probabilities",
            "axes": axes,
            "channels": list(learnt.classes.names),
            "meaning": "softmax of the logits divided by the temperature: the probabilities of the classes, which sum to 1",
        }
    ]
    if plan.objects:
        outputs.append(
            {
                "name": "offsets",
                "axes": axes,
                "channels": list(AXES[plan.dims]),
                "meaning": "from each pixel of an object to the middle of that object",
                "unit": "px",
            }
        )
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "input": {"name": INPUT, "axes": axes, "type": "float32", "channels": list(channel_meanings(learnt))},
        "outputs": outputs,
        "classes": {
            "names": list(learnt.classes.names),
            "colours": [list(c) for c in learnt.classes.colours],
        },
        "normalisation": {
            "inside": normalise,
            "kind": plan.normalisation.kind,
            "low": plan.normalisation.low,
            "high": plan.normalisation.high,
            "over": "each image and channel",
            "cut": [-1, 3] if plan.normalisation.kind == "percentiles" else None,
        },
        "temperature": learnt.temperature,
        "guarantees": [asdict(one) for one in learnt.guarantees],
        "halo": learnt.net.halo,
        "divisor": learnt.net.divisor,
        "any_size": True,
        "spacing": record.data.get("spacing", [1.0] * plan.dims),
        "unit": record.data.get("unit", "px"),
        "objects": {"radius_px": plan.object_radius_px, "smallest_px": plan.smallest_object_px}
        if plan.objects
        else None,
        "weights": weights_print(learnt),
    }


def channel_meanings(learnt: Learnt) -> tuple[str, ...]:
    """What each channel of the input is, as far as the training data told."""
    if learnt.plan.grey:
        return ("grey: of colour pictures whose three channels are equal, one",)
    return tuple(f"channel {i} of the training images" for i in range(learnt.plan.channels))


def checked(
    learnt: Learnt,
    answers: Answers,
    images: Sequence[NDArray[Any]],
    *,
    what: str,
    normalise: bool,
    least: int = 1,
) -> Checked:
    """A graph beside torch in float32, on each image as it is, on one of an odd size, and on two at once.

    least: the shortest side that the graph takes; thinner images are left out. Raises ModelError where it differs by more
    than rounding explains, DataError where all images are thinner.
    """
    plan, count = learnt.plan, len(learnt.classes)
    images = [image for image in images if min(image.shape[-1 - plan.dims : -1]) >= least]
    if not images:
        raise DataError(
            f"the {what} graph takes sides of {least} pixels or more, and no image that it could be checked on has them: "
            "give larger images, or export it as ONNX alone"
        )
    reference = replace(learnt, engine=engine_of(learnt, low=False))
    furthest, offsets_px, sizes = 0.0, 0.0, set()
    for image in images:
        for crop in _crops(image, dims=plan.dims, least=least):
            raw = np.moveaxis(seen(plan, crop), -1, 0).astype(np.float32)
            given = raw if normalise else ready(plan, crop).numpy()
            expected = answered(reference, crop)
            for batch in (1, 2):
                outputs = answers(np.repeat(given[None], batch, axis=0))
                for one in range(batch):
                    difference = np.abs(outputs[0][one] - expected[:count])
                    furthest = max(furthest, float(difference.max()))
                    if plan.objects:
                        offsets_px = max(offsets_px, float(np.abs(outputs[1][one] - expected[count:]).max()))
            sizes.add(crop.shape)
    allowed_px = MOST_APART * plan.object_radius_px * 5
    if not (furthest <= MOST_APART and offsets_px <= allowed_px):
        raise ModelError(
            f"the {what} graph gives probabilities that differ from torch by {furthest:.2g} and offsets that differ by "
            f"{offsets_px:.2g} px, so it was not written: update onnx, onnxscript and torch, and export again"
        )
    return Checked(len(images), len(sizes), furthest, offsets_px)


def stand_in(learnt: Learnt) -> NDArray[np.uint8]:
    """A photograph of coins with as many axes and channels as the model takes, where there is no image of its own."""
    photograph = coin_picture().image
    channels = [np.roll(photograph, 7 * i, axis=0) for i in range(learnt.plan.channels)]
    image = np.concatenate(channels, axis=-1)
    if learnt.plan.dims == 2:
        return image
    return np.stack([np.roll(image[:96, :96], i, axis=1) for i in range(48)])


def _crops(image: NDArray[Any], *, dims: int, least: int = 1) -> list[NDArray[Any]]:
    """The middle of an image, and a smaller part of it with odd sides; of a stack read slice by slice the middle slice."""
    if image.ndim - 1 > dims:
        image = image[image.shape[0] // 2]
    starts = [max(0, (n - SIDE[dims]) // 2) for n in image.shape[:-1]]
    whole = image[tuple(slice(start, start + SIDE[dims]) for start in starts)]
    odd = whole[tuple(slice(0, max(least, (2 * n // 3) | 1)) for n in whole.shape[:-1])]
    return [whole, odd]


def _onnx_answers(path: Path) -> Answers:
    try:
        from delineate.inference.engines.onnxruntime import session

        ready_ = session(path)
    except ImportError as error:
        raise ModelError(
            "an ONNX file is checked with the package onnxruntime: pip install 'delineate[export]'"
        ) from error
    return lambda batch: ready_.run(None, {INPUT: batch})


def _write_openvino(onnx_file: Path) -> Path:
    try:
        openvino = library()
    except ImportError as error:
        raise ModelError(
            "OpenVINO models are written with the package openvino: pip install 'delineate[fast]'"
        ) from error
    path = onnx_file.with_suffix(".xml")
    openvino.save_model(openvino.convert_model(str(onnx_file)), str(path), compress_to_fp16=False)
    return path


def _openvino_answers(path: Path) -> Answers:
    ready_: Any = library().Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(batch: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        outputs: Mapping[Any, NDArray[np.float32]] = ready_(batch)
        return [outputs[i] for i in range(len(outputs))]

    return run
