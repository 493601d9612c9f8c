"""A learnt model as a bioimage.io package (0.5), for ilastik, deepImageJ, QuPath, napari and whoever reads them.

Programs that read such packages normalise the whole image and then cut it into tiles, so the graph inside is the one
without normalisation; the package describes the normalisation and the halo. It is validated by bioimage.io's own
validator, which also runs it, before it takes its place.
"""

from __future__ import annotations

import gc
import logging
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.core import DataError, ModelError, OutputError, made_folder, written_whole
from delineate.inference.onnx import INPUT, OPSET, write_onnx
from delineate.learn.answer import answered, seen
from delineate.learn.engine import engine_of
from delineate.learn.export import AXES, channel_meanings
from delineate.learn.learnt import Learnt
from delineate.learn.portable import Portable

METRES = {"nm": "nanometer", "µm": "micrometer", "um": "micrometer", "mm": "millimeter", "m": "meter"}


def packaged(
    learnt: Learnt,
    path: Path,
    image: NDArray[Any],
    *,
    name: str,
    authors: Sequence[str] = (),
    licence: str | None = None,
) -> Path:
    """Write the package into the new zip file `path`; returns it.

    image: (*spatial, channels), real: its middle becomes the test input, and what torch gives on it the test output.
    authors: names; licence: an SPDX identifier, as CC-BY-4.0 (None: none is stated, and a person has to ask).
    Raises ModelError where the packages bioimageio.spec and bioimageio.core are missing or their validator is not
    content, OutputError where `path` is there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _packaged(learnt, path, image, name=name, authors=authors, licence=licence)
        finally:
            gc.collect()  # bioimage.io's packages leave files open


def _packaged(
    learnt: Learnt, path: Path, image: NDArray[Any], *, name: str, authors: Sequence[str], licence: str | None
) -> Path:
    if learnt.plan.equivariant:
        raise ModelError(
            "programs that read bioimage.io packages cut images into tiles, and an equivariant model looks at the whole "
            "image at once: use it with Delineate, or train one with --down blur to export"
        )
    try:
        import bioimageio.core as core
        import bioimageio.spec as spec
        from bioimageio.spec.model import v0_5
    except ImportError as error:
        raise ModelError(
            f"bioimage.io packages are made with {error.name}: pip install 'delineate[bioimageio]'"
        ) from error
    _be_quiet()
    if path.exists():
        raise OutputError(f"{path} exists already: choose another name or remove it")
    given, expected = _example(learnt, image)
    portable = Portable(learnt, normalise=False)
    example = torch.zeros(1, learnt.plan.channels, *(16,) * learnt.plan.dims)
    with tempfile.TemporaryDirectory(prefix="delineate-") as scratch:
        folder = Path(scratch)
        write_onnx(portable, folder / "weights.onnx", example=example, outputs=portable.outputs)
        np.save(folder / "test_input.npy", given)
        for output, array in zip(portable.outputs, expected, strict=True):
            np.save(folder / f"test_{output}.npy", array)
        (folder / "README.md").write_text(_readme(learnt, name), encoding="utf-8")
        inputs, outputs = _tensors(v0_5, learnt, folder, portable.outputs)
        try:
            description = v0_5.ModelDescr(
                name=_plain(name),
                description=f"Segments {', '.join(learnt.classes.names[1:])}. A U-Net trained with Delineate.",
                authors=[v0_5.Author(name=author) for author in authors],
                license=cast(Any, licence),
                documentation=v0_5.FileDescr(source=folder / "README.md"),
                inputs=inputs,
                outputs=outputs,
                weights=v0_5.WeightsDescr(
                    onnx=v0_5.OnnxWeightsDescr(source=folder / "weights.onnx", opset_version=OPSET)
                ),
                tags=["segmentation", "unet", f"{learnt.plan.dims}d"],
            )
            package = Path(spec.save_bioimageio_package(description, output_path=folder / "package.zip"))
        except ValueError as error:
            raise DataError(f"bioimage.io does not accept this description: {_said(error)}") from error
        summary = core.test_model(package)
        if summary.status != "passed":
            raise ModelError(
                f"bioimage.io's validator refuses the package, so it was not written: {_why(summary)}"
            )
        made_folder(path.parent)
        with written_whole(path) as beside:
            shutil.copyfile(package, beside)
    return path


def _example(learnt: Learnt, image: NDArray[Any]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """(input, outputs): the middle of `image`, of a size that the package allows, and what torch in float32 gives."""
    plan, count = learnt.plan, len(learnt.classes)
    if image.ndim - 1 > plan.dims:
        image = image[image.shape[0] // 2]
    smallest, step = _smallest(learnt), learnt.net.divisor
    short = [max(0, smallest - n) for n in image.shape[:-1]]
    if any(short):  # small pictures are repeated, mirrored
        image = np.pad(image, [*((0, n) for n in short), (0, 0)], mode="symmetric")
    sides = [min(smallest + (n - smallest) // step * step, smallest + 8 * step) for n in image.shape[:-1]]
    starts = [(n - side) // 2 for n, side in zip(image.shape, sides, strict=False)]
    crop = image[tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))]
    answer = answered(replace(learnt, engine=engine_of(learnt, low=False)), crop)
    raw = np.moveaxis(seen(plan, crop), -1, 0).astype(np.float32)
    parts = [answer[:count], answer[count:]] if plan.objects else [answer]
    return raw[None], [np.ascontiguousarray(part[None]) for part in parts]


def _smallest(learnt: Learnt) -> int:
    """The least side of a tile: its halo on both sides and something in between."""
    return int(2 * learnt.net.halo + learnt.net.divisor)


def _tensors(v0_5: Any, learnt: Learnt, folder: Path, names: Sequence[str]) -> tuple[list[Any], list[Any]]:
    """The descriptions of the input and of the outputs."""
    plan, halo, step = learnt.plan, learnt.net.halo, learnt.net.divisor
    unit = METRES.get(str(learnt.record.data.get("unit", "px")))
    spacing = learnt.record.data.get("spacing", [1.0] * plan.dims)
    scales = [
        {"scale": _cancelling(float(scale)), "unit": unit} if unit else {} for scale in spacing
    ]  # without a unit a scale says nothing
    inputs = [
        v0_5.BatchAxis(),
        v0_5.ChannelAxis(channel_names=_identifiers(channel_meanings(learnt))),
        *(
            v0_5.SpaceInputAxis(
                id=axis,
                size=v0_5.ParameterizedSize(min=_smallest(learnt), step=step),
                concatenable=True,
                **scale,
            )
            for axis, scale in zip(AXES[plan.dims], scales, strict=True)
        ),
    ]

    def along(axis: str, scale: dict[str, Any]) -> Any:
        size = v0_5.SizeReference(tensor_id=INPUT, axis_id=axis)
        return v0_5.SpaceOutputAxisWithHalo(id=axis, size=size, halo=halo, **scale)

    channels = {"probabilities": _identifiers(learnt.classes.names), "offsets": list(AXES[plan.dims])}
    outputs = [
        v0_5.OutputTensorDescr(
            id=name,
            description="probabilities of the classes"
            if name == "probabilities"
            else "in pixels, from each pixel to the middle of its object",
            axes=[
                v0_5.BatchAxis(),
                v0_5.ChannelAxis(channel_names=channels[name]),
                *(along(axis, scale) for axis, scale in zip(AXES[plan.dims], scales, strict=True)),
            ],
            test_tensor=v0_5.FileDescr(source=folder / f"test_{name}.npy"),
        )
        for name in names
    ]
    image = v0_5.InputTensorDescr(
        id=INPUT,
        description="raw intensities",
        axes=inputs,
        test_tensor=v0_5.FileDescr(source=folder / "test_input.npy"),
        preprocessing=_preprocessing(v0_5, learnt),
    )
    return [image], outputs


def _cancelling(scale: float) -> float:
    """A scale that drops out of n * scale / scale to the last bit: itself, or else rounded to seven digits.

    bioimage.io computes the size of an output in this way, and refuses 168.00000000000003 pixels.
    """
    sizes = np.arange(1, 1 << 16, dtype=np.float64)
    return scale if (sizes * scale / scale == sizes).all() else float(np.float32(scale))


def _preprocessing(v0_5: Any, learnt: Learnt) -> list[Any]:
    """The normalisation in the words of bioimage.io."""
    how, axes = learnt.plan.normalisation, AXES[learnt.plan.dims]
    if how.kind == "fixed":
        scale = how.high - how.low
        values = v0_5.ScaleLinearKwargs(gain=1 / scale, offset=-how.low / scale)
        return [v0_5.ScaleLinearDescr(kwargs=values)]
    if how.kind == "zscore":
        return [v0_5.ZeroMeanUnitVarianceDescr(kwargs=v0_5.ZeroMeanUnitVarianceKwargs(axes=axes))]
    values = v0_5.ScaleRangeKwargs(axes=axes, min_percentile=how.low, max_percentile=how.high)
    return [
        v0_5.ScaleRangeDescr(kwargs=values),
        v0_5.ClipDescr(kwargs=v0_5.ClipKwargs(min=-1.0, max=3.0)),
    ]


def _identifiers(names: Sequence[str]) -> list[str]:
    """Names in lower case, of letters, digits and underscores."""
    return ["".join(c if c.isalnum() else "_" for c in name.split(":")[0].lower()) for name in names]


def _plain(name: str) -> str:
    """What bioimage.io allows in a name."""
    plain = "".join(c if c.isalnum() or c in "_+- ()" else " " for c in name)[:100].strip()
    return plain if len(plain) >= 5 else f"{plain} model"  # five letters are the least


def _readme(learnt: Learnt, name: str) -> str:
    record = learnt.record
    scores = [entry["dice"] for entry in record.history if "dice" in entry]
    validation = (
        f"Mean Dice {scores[-1]:.3f} on {record.data.get('validation')} images that were held out during training."
        if scores
        else "No images were held out during training: score the model on labelled images of your own."
    )
    return (
        f"# {name}\n\nA U-Net trained with Delineate {version('delineate')} on {record.data.get('cases')} images, "
        f"{record.steps} steps. Classes: {', '.join(learnt.classes.names)}.\n\n# Validation\n\n{validation}\n"
    )


def _be_quiet() -> None:
    """bioimage.io's packages tell of every step through loguru."""
    from loguru import logger

    logger.disable("bioimageio")
    logging.getLogger("bioimageio").setLevel(logging.ERROR)


def _why(summary: Any) -> str:
    errors = [error.msg for detail in summary.details for error in detail.errors]
    return " ".join("; ".join(errors).split())[:300] or str(summary.status)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
