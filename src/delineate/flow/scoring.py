"""Stage three: masks of any tool, set against truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from delineate.core import DataError
from delineate.data.labelled import mask_names
from delineate.data.masks import MasksAre
from delineate.data.metadata import MetadataColumn, metadata_column
from delineate.flow.methods import Progress

if TYPE_CHECKING:
    from delineate.report import Asked
    from delineate.score import ScoreTable


def score(
    predicted: str | Path,
    truth: str | Path,
    *,
    out: str | Path | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    objects: bool | None = None,
    probabilities: str | Path | None = None,
    also: Sequence[str] = (),
    tolerance: float | None = None,
    sizes: Sequence[float] | None = None,
    by: str | None = None,
    metadata: str | Path | None = None,
    workers: int = 1,
    baselines: Mapping[str, ScoreTable] | None = None,
    method: str = "this prediction",
    progress: Progress | None = None,
) -> ScoreTable:
    """Score masks against truth, matched by name; with `out`, write report.html, scores.json and scores.csv.

    Both are folders of masks of any tool, or data folders, or what `predict` wrote; see `score_folders`, also for
    probabilities and workers. also: names in `delineate.score.MORE_SCORES`; tolerance: of surface Dice, in the unit of the
    spacing, which is scored if it is given. sizes: where one class of object sizes ends and the next begins. by: a column
    of the CSV file metadata, to tell apart subgroups of cases; metadata.csv beside the truth where none is named.
    baselines: tables of other methods on the same cases, set beside this one, which is called `method`.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     data = write(Path(scratch) / "data")
    ...     table = score(data / "test", data / "test")  # the truth, scored against itself
    >>> table.names, table.summary(table.names[0], "dice").mean
    (('foreground',), 1.0)
    """
    from delineate.score import score_folders, scores_asked

    wanted = asked(Path(truth), sizes=sizes, by=by, metadata=metadata)
    table = score_folders(
        predicted,
        truth,
        unlabelled=unlabelled,
        masks_are=masks_are,
        objects=objects,
        probabilities=probabilities,
        scores=scores_asked(also=also, tolerance=tolerance),
        workers=workers,
        progress=progress,
    )
    if sizes and table.objects is None:
        table = replace(
            table, notes=(*table.notes, "classes of size were asked for, but no objects were scored")
        )
    if out is not None:
        from delineate.report import write_score_report
        from delineate.report.prediction import learning_curve_of

        history = learning_curve_of(Path(predicted))
        write_score_report(table, out, history=history, baselines=baselines, method=method, asked=wanted)
    return table


def score_several(
    predictions: Mapping[str, str | Path],
    truth: str | Path,
    *,
    out: str | Path | None = None,
    unlabelled: int | None = None,
    masks_are: MasksAre | None = None,
    objects: bool | None = None,
    also: Sequence[str] = (),
    tolerance: float | None = None,
    sizes: Sequence[float] | None = None,
    by: str | None = None,
    metadata: str | Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, ScoreTable]:
    """Score several predictions, by name, against one truth, and compare them case by case (`delineate.score.paired`).

    The report tells all of the first and sets the others beside it. Arguments are those of `score`.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     test = write(Path(scratch) / "data") / "test"
    ...     list(score_several({"truth": test, "once more": test}, test))
    ['truth', 'once more']
    """
    if not predictions:
        raise DataError("there are no predictions to score: give one folder or more")
    asked(Path(truth), sizes=sizes, by=by, metadata=metadata)
    first, *others = predictions
    tables = {
        name: score(
            predictions[name],
            truth,
            unlabelled=unlabelled,
            masks_are=masks_are,
            objects=objects,
            also=also,
            tolerance=tolerance,
            workers=workers,
            progress=progress,
        )
        for name in others
    }
    table = score(
        predictions[first],
        truth,
        out=out,
        unlabelled=unlabelled,
        masks_are=masks_are,
        objects=objects,
        also=also,
        tolerance=tolerance,
        sizes=sizes,
        by=by,
        metadata=metadata,
        workers=workers,
        baselines=tables,
        method=first,
        progress=progress,
    )
    return {first: table, **tables}


def asked(
    truth: Path, *, sizes: Sequence[float] | None, by: str | None, metadata: str | Path | None
) -> Asked:
    """What the report shall tell beyond the scores; whatever cannot be asked is refused here, before the work."""
    from delineate.report import Asked

    if metadata is not None and not by:
        raise DataError(f"nothing is asked of {metadata}: say by which of its columns, such as --by scanner")
    values = _column(by, metadata, truth).of(mask_names(truth)) if by else {}
    return Asked(by or "", values, sizes=sizes)


def _column(title: str, metadata: str | Path | None, truth: Path) -> MetadataColumn:
    """A column of a CSV file; of metadata.csv in the folder of truth or beside it, where no file is named."""
    beside = [folder / "metadata.csv" for folder in (truth, truth.parent)]
    file = metadata or next((path for path in beside if path.is_file()), None)
    if file is None:
        raise DataError(
            f"there is no metadata.csv in {truth} or beside it: name the file that has the column {title}"
        )
    return metadata_column(file, title)
