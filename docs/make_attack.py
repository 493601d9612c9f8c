"""Makes the picture of docs/audit/attack.md: a block of coins, its outlines, and both under attack.

python docs/make_attack.py [--steps 150]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from delineate.audits import Evidence, subject_of_method
from delineate.audits.attack.examine import attack
from delineate.audits.attack.settings import AttackSettings
from delineate.core import ClassTable
from delineate.data import samples
from delineate.learn import Overrides, UNetMethod

CLASSES = ClassTable(("table", "coin"))


def main() -> None:
    """Teach a small network, attack it, draw."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--steps", type=int, default=150)
    train, held_out = samples.coins()
    overrides = Overrides(width=12, objects=False)
    method = UNetMethod(CLASSES, steps=asked.parse_args().steps, overrides=overrides).fit(train)
    settings = AttackSettings(eps=12, images=1, close=0)
    section = attack(subject_of_method(method), Evidence(tuple(held_out)), settings=settings)
    picture = section.pictures[0]
    Image.fromarray(picture.pixels).save(Path(__file__).parent / "images" / "attack.png", optimize=True)
    print(picture.caption)


if __name__ == "__main__":
    main()
