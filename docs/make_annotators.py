"""Draws docs/images/annotators.png: coins as four people with known habits draw them, and a model that learnt from one of them.

python docs/make_annotators.py      # about half a minute
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from delineate import train
from delineate.audits import Evidence, subject_of_method
from delineate.audits.annotators import annotators
from delineate.data import Style, simulated
from delineate.data.samples import coins
from delineate.learn import Overrides

STYLES = {
    "anna": Style(unsteady_px=0.5),
    "ben": Style(larger_px=3, unsteady_px=0.5),
    "cy": Style(larger_px=-3, unsteady_px=0.5),
    "dee": Style(unsteady_px=0.5, misses=0.3),
}

if __name__ == "__main__":
    to_learn, held_out = coins()
    small = Overrides(patch=96, width=8, levels=3, objects=False)
    bens = [simulated(case, STYLES["ben"], seed=1) for case in to_learn]
    model = train(bens, steps=150, overrides=small)
    people = {
        name: [simulated(case, style, seed=i) for case in [*to_learn, *held_out]]
        for i, (name, style) in enumerate(STYLES.items())
    }
    section = annotators(subject_of_method(model), Evidence((*to_learn, *held_out), annotators=people))
    for finding in section.findings:
        print(f"{finding.verdict}: {finding.sentence}")
    out = Path(__file__).parent / "images" / "annotators.png"
    Image.fromarray(section.pictures[0].pixels).quantize(128).save(out, optimize=True)
    print(out)
