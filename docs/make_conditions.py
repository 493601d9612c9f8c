"""Makes the pictures of docs/audit/conditions.md from pictures that come with scikit-image, and prints their figures.

    python docs/make_conditions.py [--steps 300]

Two U-Nets are taught on the coins, one of them with `--robust all`; both are audited on the blocks held out.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from skimage import data as pictures

import delineate
from delineate.audits import Evidence, subject_of_method
from delineate.audits.conditions import conditions
from delineate.audits.conditions.measured import under
from delineate.audits.conditions.pictures import side_by_side
from delineate.core import ClassTable
from delineate.data import DataSet, samples
from delineate.data.conditions import ACQUISITION
from delineate.learn import Overrides
from delineate.score import dice

IMAGES = Path(__file__).parent / "images"
CLASSES = ClassTable(("table", "coin"))
SHOWN = (0, 1, 3, 5)


def main() -> None:
    """Draw the conditions; train twice, audit, draw what broke."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=300)
    steps = asked.parse_args().steps
    IMAGES.mkdir(exist_ok=True)
    draw_conditions()
    train, held_out = samples.coins()
    data = DataSet(tuple(train), tuple(held_out), CLASSES, (), {})
    both = {
        name: subject_of_method(delineate.train(data, steps=steps, seed=0, overrides=overrides))
        for name, overrides in (("without", None), ("with", Overrides(robust=("all",))))
    }
    draw_broken(both, list(held_out))


def draw_conditions() -> None:
    """Every condition of a flat image at severities 0, 1, 3, 5: coins, and stained tissue where colour is needed."""
    coins, tissue = pictures.coins()[20:140, 10:190, None], pictures.immunohistochemistry()[40:160, 40:220]
    shown = [one for one in ACQUISITION.values() if one.concerns(tissue)]
    figure = Figure(figsize=(13, 11.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(shown) // 2, 2 * len(SHOWN))
    for number, condition in enumerate(shown):
        row = grid[number % (len(shown) // 2), (number // (len(shown) // 2)) * len(SHOWN) :]
        image = coins if condition.concerns(coins) else tissue
        for axes, severity in zip(row, SHOWN, strict=False):
            axes.imshow(condition.at(image, severity), cmap="grey", vmin=0, vmax=255, interpolation="nearest")
            said = condition.said(severity).replace(", clipped", "").replace(" in one corner", "")
            axes.set_title(
                said if severity else condition.name, fontsize=7, fontweight=None if severity else "bold"
            )
            axes.set_axis_off()
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(
        IMAGES / "conditions.png", optimize=True
    )


def draw_broken(both: dict[str, object], cases: list[object]) -> None:
    """The condition that breaks the ordinary model worst, and what each model makes of it."""
    sections = {name: conditions(subject, Evidence(tuple(cases))) for name, subject in both.items()}
    for name, section in sections.items():
        print(name, section.sentence)
        for row in section.tables[0].rows:
            print("   ", *row)
    lost = {
        name: found["dice"][0] - min(found["dice"])
        for name, found in sections["without"].numbers["conditions"].items()
    }
    worst = ACQUISITION[max(lost, key=lost.__getitem__)]
    severity = int(np.argmin(sections["without"].numbers["conditions"][worst.name]["dice"]))
    case = cases[0]
    panels = [(case.image, case.labels, both["without"].labels(case))]
    panels += [
        (worst.at(case.image, severity), case.labels, under(subject, case, worst, severity))
        for subject in both.values()
    ]
    for title, (_, truth, predicted) in zip(("as it is", *both), panels, strict=True):
        print(f"{title}: Dice {dice(truth, predicted, label=1):.3f} ({worst.name}, {worst.said(severity)})")
    from delineate.report.picture import write_picture

    write_picture(IMAGES / "audit_conditions.png", side_by_side(panels))


if __name__ == "__main__":
    main()
