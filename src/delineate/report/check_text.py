"""What `delineate check` says, line by line: what there is, then what is wrong and how to mend it."""

from __future__ import annotations

from delineate.data import Check


def check_lines(found: Check) -> list[str]:
    """The check in words, one line each; problems last, the serious ones first among them."""
    lines = [
        f"{found.path}: {found.images} images, {found.labelled} with masks"
        + (f", {found.validation} of them for validation" if found.validation else "")
    ]
    if found.sizes:
        shown = [f"{' x '.join(map(str, size))} ({count})" for size, count in found.sizes[:6]]
        more = f", and {len(found.sizes) - 6} more" if len(found.sizes) > 6 else ""
        lines.append(f"sizes: {', '.join(shown)}{more}")
    if found.channels:
        lines.append("channels: " + ", ".join(f"{n} ({count})" for n, count in found.channels))
    for values in found.dtypes:
        lines.append(f"values: {values.dtype} from {values.low:g} to {values.high:g} ({values.count} images)")
    for (spacing, unit), count in found.spacings[:6]:
        lines.append(f"spacing: {' x '.join(f'{s:g}' for s in spacing)} {unit} ({count})")
    for one in found.classes:
        lines.append(f"class {one.name}: {one.share:.2%} of the labelled pixels, in {one.masks} masks")
    if found.unlabelled:
        lines.append(f"unlabelled: {found.unlabelled:.2%} of the mask pixels")
    lines += [f"note: {note}" for note in found.notes]
    for problem in found.problems:
        kind = "PROBLEM" if problem.serious else "worth a look"
        lines.append(f"{kind}: {problem}")
    lines.append("ready to train" if found.trainable else "not ready to train")
    return lines
