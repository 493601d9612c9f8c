"""Is the attack itself to be trusted? A weak attack makes a weak model look strong, so it has to pass checks of its own.

After Carlini et al. 2019, arXiv:1902.06705, section 5, and Athalye et al. 2018, arXiv:1802.00420: more steps and a larger eps
must not do less harm, noise of the same size must do less, a search without gradients must not do more, and without a limit
almost nothing may be left. Where one fails, the gradients are hidden, or the attack is broken; the model is not robust.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

SLACK = 0.01  # of Dice: what chance may do between two runs
NOTHING_LEFT = 0.1  # of the clean Dice, where eps is the whole range


@dataclass(frozen=True)
class Check:
    """One check of the attack: what was asked, whether it held, and the numbers."""

    name: str
    held: bool
    found: str


def checks(
    *,
    clean: float,
    noise: float,
    worst: float,
    by_steps: Mapping[int, float],
    by_eps: Mapping[float, float],
    white_close: float,
    black_box: float,
    unbounded: float,
    excess: float,
    dead: float,
) -> tuple[Check, ...]:
    """All checks; numbers are mean Dice.

    by_steps, by_eps: Dice after so many steps, and for such an eps. white_close, black_box: the worst attack and the black
    box on the same images. excess: how much the largest change is above eps, as a share of eps. dead: share of the images on
    which the slope is zero everywhere.

    >>> good = dict(clean=0.9, noise=0.9, worst=0.2, by_steps={1: 0.5, 20: 0.3}, by_eps={1: 0.8, 4: 0.3})
    >>> found = checks(**good, white_close=0.2, black_box=0.6, unbounded=0.0, excess=0.0, dead=0.0)
    >>> all(check.held for check in found), len(found)
    (True, 7)
    """
    return (
        Check(
            "the change stays within eps after rounding",
            excess <= 1e-3,
            f"{max(excess, 0):.1%} too large at most",
        ),
        Check("stronger than noise", worst <= noise + SLACK, f"Dice {worst:.3f} against {noise:.3f}"),
        Check("more steps do no less harm", _falls(by_steps), _told(by_steps)),
        Check("a larger eps does no less harm", _falls(by_eps), _told(by_eps)),
        Check(
            "a search without gradients does no more harm",
            white_close <= black_box + SLACK,
            f"Dice {white_close:.3f} with gradients, {black_box:.3f} without",
        ),
        Check(
            "without a limit nothing is left",
            unbounded <= NOTHING_LEFT * clean,
            f"Dice {unbounded:.3f}",
        ),
        Check("gradients are there", dead == 0, f"a slope in {1 - dead:.0%} of the images"),
    )


def _falls(dice: Mapping[int, float] | Mapping[float, float]) -> bool:
    values = [value for _, value in sorted(dice.items())]
    return all(later <= earlier + SLACK for earlier, later in itertools.pairwise(values))


def _told(dice: Mapping[int, float] | Mapping[float, float]) -> str:
    return ", ".join(f"{key:g}: {value:.3f}" for key, value in sorted(dice.items()))
