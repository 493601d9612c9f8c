"""Draws the charts of docs/audit/calibration.md and docs/audit/guarantee.md: the audits' own, of a model on labelled images.

    python docs/make_calibration.py MODEL DATA [--cache probabilities.npz]

The cache is that of bench/conformal.py, probabilities at temperature 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import delineate
from delineate import data as files
from delineate.audits import Evidence, Subject
from delineate.audits.calibration import calibration
from delineate.audits.guarantee import guarantee
from delineate.report.figures import curves

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Predict, or take what was predicted; examine; draw."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("model", type=Path)
    asked.add_argument("data", type=Path)
    asked.add_argument("--cache", type=Path)
    wanted = asked.parse_args()
    found = files.load(wanted.data)
    method = delineate.load(wanted.model)
    predict = method.predict
    if wanted.cache is not None:
        kept = dict(np.load(wanted.cache))
        of_image = {id(case.image): kept[case.name] for case in found.cases}
        predict = lambda image: of_image[id(image)]  # noqa: E731
    subject = Subject("the nuclei model", found.classes, predict=predict)
    evidence = Evidence(found.cases)
    for name, section in (("reliability", calibration), ("guarantee", guarantee)):
        (IMAGES / f"{name}.png").write_bytes(curves(section(subject, evidence).charts[0], theme="light"))


if __name__ == "__main__":
    main()
