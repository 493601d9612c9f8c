"""What `delineate check` says, line by line: what there is, then what is wrong and how to mend it."""

from __future__ import annotations

from collections import Counter

from delineate.data import Check, Problem
from delineate.data.problem import counted

MOST_ALIKE = 3
"""Problems of one kind that are written out; of more, only the places are named."""


def check_lines(found: Check) -> list[str]:
    """The check in words, one line each; problems last, the serious ones first among them.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from delineate.data import check
    >>> from delineate.data.samples import write
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     lines = check_lines(check(write(Path(scratch) / "data") / "train"))
    >>> lines[0].endswith("6 images, 6 with masks"), lines[-1]
    (True, 'ready to train')
    """
    full = set(dict(found.kinds)) <= {"masks", ""}
    lines = [
        f"{found.path}: {counted(found.images, 'image')}, {found.labelled} with {'masks' if full else 'labels'}"
        + (f", {found.validation} of them for validation" if found.validation else "")
    ]
    if found.sizes:
        shown = [f"{' x '.join(map(str, size))} ({count})" for size, count in found.sizes[:6]]
        more = f", and {len(found.sizes) - 6} more" if len(found.sizes) > 6 else ""
        lines.append(f"sizes: {', '.join(shown)}{more}")
    if found.channels:
        lines.append("channels: " + ", ".join(f"{n} ({count})" for n, count in found.channels))
    for values in found.dtypes:
        lines.append(
            f"values: {values.dtype} from {values.low:g} to {values.high:g} ({counted(values.count, 'image')})"
        )
    spacings: Counter[str] = Counter()
    for (spacing, unit), count in found.spacings:
        stated = f"{' x '.join(f'{s:g}' for s in spacing)} {unit}"
        unknown = unit == "px" and all(s == 1 for s in spacing)
        spacings["not told by the files" if unknown else stated] += count
    lines += [f"spacing: {told} ({count})" for told, count in spacings.most_common(6)]
    if not full:
        kinds = [f"{count} with {kind or 'none'}" for kind, count in found.kinds]
        lines.append(f"labels: {', '.join(kinds)}")
    for one in found.classes:
        of_all = "" if full else f" ({one.share * (1 - found.unlabelled):.3%} of all)"
        drawn = "1 stroke or point" if one.strokes == 1 else f"{one.strokes} strokes and points"
        strokes = f", in {drawn}" if one.strokes else ""
        lines.append(
            f"class {one.name}: {one.share:.2%} of the labelled pixels{of_all}, in "
            f"{counted(one.masks, 'mask' if full else 'image')}{strokes}"
        )
    if found.unlabelled:
        lines.append(
            f"unlabelled: {found.unlabelled:.2%} of the {'mask pixels' if full else 'pixels of labelled images'}"
        )
    lines += [f"note: {note}" for note in found.notes]
    alike: dict[tuple[bool, str], list[Problem]] = {}
    for problem in found.problems:
        alike.setdefault((problem.serious, problem.remedy), []).append(problem)
    for (serious, _), problems in alike.items():
        kind = "PROBLEM" if serious else "worth a look"
        told = problems if len(problems) <= MOST_ALIKE + 1 else problems[:MOST_ALIKE]
        lines += [f"{kind}: {problem}" for problem in told]
        if others := problems[len(told) :]:
            lines.append(f"{kind}: {len(others)} more like these, of {', '.join(p.where for p in others)}")
    lines.append("ready to train" if found.trainable else "not ready to train")
    return lines
