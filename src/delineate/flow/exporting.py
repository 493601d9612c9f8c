"""A trained network for other programs, and in 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from delineate import data as files
from delineate.core import Case, DataError, ModelError, folder_to_fill
from delineate.data import DataSet, images
from delineate.data.masks import MasksAre
from delineate.flow.evidence import check_classes
from delineate.flow.methods import Progress, Tell, data_set, load
from delineate.score import mean_dice

MOST_CHECKED = 4  # images on which an exported model is compared with torch


def export(
    model: str | Path,
    *,
    out: str | Path,
    onnx: bool = False,
    openvino: bool = False,
    bioimageio: bool = False,
    where: str | Path | None = None,
    normalisation: bool = True,
    name: str | None = None,
    authors: Sequence[str] = (),
    licence: str | None = None,
    tell: Tell | None = None,
) -> list[Path]:
    """Write a trained U-Net for other programs into the new folder `out`; returns the files.

    onnx: model.onnx; openvino: model.xml and model.bin; each with model.json. bioimageio: NAME.bioimageio.zip, with
    authors and a licence (an SPDX identifier). where: a file, folder or glob of images on which each must give what
    torch gives (None: pictures that come with scikit-image). normalisation: False leaves it out of the ONNX and
    OpenVINO graphs. Raises ModelError where a package is missing or a graph differs from torch.
    """
    if not (onnx or openvino or bioimageio):
        raise DataError("nothing was asked for: give --onnx, --openvino or --bioimageio")
    title = name or Path(model).resolve().name
    if bioimageio and set(title) & {"/", "\\"}:
        raise DataError(
            f"the package would be called {title}, which is a path: give a --name without / and \\"
        )
    method = load(model, tell=tell)
    if method.name != "unet":
        raise ModelError(f"{method.name} has no network to export: give the folder of a trained U-Net")
    from delineate.learn.export import exported, stand_in

    say = tell or (lambda _: None)
    if where is None:
        pictures = [stand_in(method.learnt)]
        say("checked on a picture of scikit-image: --images FOLDER checks on yours")
    else:
        pictures = [files.entry_image(entry).array for entry in images(where)[:MOST_CHECKED]]
    with folder_to_fill(Path(out)) as folder:
        if onnx or openvino:
            checks = exported(
                method.learnt,
                folder,
                pictures,
                name=title,
                onnx=onnx,
                openvino=openvino,
                normalise=normalisation,
            )
            for graph, check in checks.items():
                say(f"{graph}: {check}")
        if bioimageio:
            from delineate.learn.bioimageio import packaged

            path = folder / f"{title}.bioimageio.zip"
            packaged(method.learnt, path, pictures[0], name=title, authors=authors, licence=licence)
            say("bioimageio: the package passes bioimage.io's own validator")
    return sorted(folder.iterdir())


def quantise(
    model: str | Path,
    data: str | Path | DataSet | Sequence[Case],
    *,
    most_lost: float | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    progress: Progress | None = None,
) -> Any:
    """Make an 8-bit version of a trained U-Net, for `predict(engine="int8")`; returns what it costs in Dice.

    Half of the images in `data` calibrate it, the others, with their masks, judge it. It is written into the model
    folder with what it costs; most_lost: Dice that may be lost (None: 0.003), beyond which ModelError is raised. Masks are
    read for the classes of the model; DataError is raised where they hold others.
    """
    from delineate.learn.int8 import MOST_LOST, quantised

    method = load(model)
    if method.name != "unet":
        raise ModelError(
            f"{method.name} has no weights to store in 8 bits: give the folder of a trained U-Net"
        )
    found = data_set(data, unlabelled=unlabelled, masks_are=masks_are, classes=method.classes)
    cases = [*found.cases, *found.validation]
    check_classes(cases, method.classes)
    return quantised(
        method.learnt,
        Path(model),
        cases,
        judge=partial(mean_dice, classes=len(method.classes)),
        most_lost=MOST_LOST if most_lost is None else most_lost,
        progress=progress,
    )
