"""What any method is asked of one image, and how it answers: each kind has its own way, and refuses what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.core import DataError
from delineate.data import Entry, Picture
from delineate.flow.starts import Start

if TYPE_CHECKING:
    from delineate.report.prediction import PredictionFiles


@dataclass(frozen=True)
class How:
    """What is asked of the prediction of an image; see `predict`. detections: the polygons are of many small objects."""

    objects: bool = False
    watershed: bool = False
    starts: Mapping[str, Start] = field(default_factory=dict)
    probabilities: bool = False
    tta: bool = False
    tile: int | None = None
    engine: str | None = None
    foreground_above: float | None = None
    shifts: int = 1
    geojson: bool = False
    detections: bool = False


def answered(
    method: Any,
    image: Any,
    *,
    objects: bool,
    watershed: bool = False,
    start: Any = None,
    tta: bool = False,
    shifts: int = 1,
    tile: int | None = None,
) -> tuple[Any, Any]:
    """Probabilities (classes, *spatial), and ids (*spatial) or None; a method without objects gives components.

    start: a mask (*spatial) that an active contour starts from.
    """
    if shifts > 1 and method.name != "unet":
        return _steadier(method, image, objects=objects, shifts=shifts, tta=tta, tile=tile), None
    if method.name in ("unet", "onnx"):
        how: dict[str, Any] = {"flips": tta, "tile": tile} | ({"shifts": shifts} if shifts > 1 else {})
        if objects:
            outlined: tuple[Any, Any] = method.outline(image, watershed=watershed, **how)
            return outlined
        return method.predict(image, **how), None
    if tta or tile is not None:
        raise DataError(
            f"{method.name} is neither averaged over mirrored images nor cut: leave --tta and --tile out"
        )
    if objects and method.name == "watershed":
        separated: tuple[Any, Any] = method.outline(image)
        return separated
    likely = method.predict(image) if start is None else method.predict_from(image, start)
    if not objects:
        return likely, None
    from delineate.objects import split
    from delineate.score import components

    foreground = likely.argmax(0) > 0
    return likely, split(foreground) if watershed else components(foreground)


def answered_as(method: Any, name: str, image: Any, how: How) -> tuple[Any, Any]:
    """What a method answers for the image of that name, asked in this way; see `answered`. Raises DataError where polygons are
    asked of a stack."""
    if how.geojson and image.ndim != 3:
        raise DataError(f"{name} is a stack, and GeoJSON has no place for its polygons: leave --geojson out")
    start = how.starts[name].on(image.shape[:-1]) if how.starts else None
    return answered(
        method,
        image,
        objects=how.objects or how.geojson,
        watershed=how.watershed,
        start=start,
        tta=how.tta,
        shifts=how.shifts,
        tile=how.tile,
    )


def put(
    writer: PredictionFiles, entry: Entry, picture: Picture, answer: tuple[Any, Any], how: How
) -> dict[str, str]:
    """Write the files of one image from what `answered_as` gave; what the index says of them."""
    likely, ids = answer
    return writer.write_files(
        entry.name,
        picture,
        likely,
        ids,
        source=entry.images[0],
        probabilities=how.probabilities,
        foreground_above=how.foreground_above,
        geojson=how.geojson,
        detections=how.detections,
    )


def _steadier(method: Any, image: Any, *, objects: bool, shifts: int, tta: bool, tile: int | None) -> Any:
    """The probabilities of an ONNX model, averaged over shifts."""
    if method.name != "onnx" or objects:
        raise DataError(
            f"{method.name} is not averaged over shifts{' with objects' if objects else ''}: leave "
            f"{'--objects or ' if objects and method.name == 'onnx' else ''}--shifts out"
        )
    from delineate.inference import shift_averaged

    predict = partial(method.predict, flips=tta, tile=tile)
    return shift_averaged(predict, shifts=shifts, divisor=method.divisor, dims=method.dims)(image)


def keeps_apart(method: Any) -> bool:
    """Whether a U-Net has learnt objects."""
    return method.name == "unet" and bool(method.learnt.plan.objects)


def guaranteed(
    method: Any, alpha: float, engine: str | None, *, objects: bool, tta: bool, shifts: int
) -> tuple[float, str | None]:
    """The threshold that guarantees alpha, and the engine: that of the calibration where none is named."""
    if getattr(method, "learnt", None) is None:
        raise DataError(f"{method.name} carries no guarantee: leave --guarantee out, or give a trained U-Net")
    if objects:
        raise DataError(
            "a guarantee is about foreground, and of objects the doubtful and the tiny ones are dropped: leave --objects, "
            "--geojson or --guarantee out"
        )
    if tta:
        raise DataError("the guarantee was chosen without mirrored images: leave --tta or --guarantee out")
    if shifts > 1:
        raise DataError("the guarantee was chosen without shifted images: leave --shifts or --guarantee out")
    found = method.learnt.guaranteed(alpha)
    return found.threshold, engine or found.engine


def told(source: Path, error: Exception) -> str:
    """What went wrong, with the file that it went wrong with."""
    return str(error) if source.name in str(error) else f"{source}: {error}"
