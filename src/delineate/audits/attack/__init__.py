"""Adversarial attack: how little must an image change for the mask to fall apart?

    ball        how far an image may be changed            files       between a case and an attack, and back to a file
    objectives  what an attack climbs                      quick       gradients of our networks, cheaply
    climb       the one loop: FGSM, PGD, all others        targeted    one object vanishes, one appears
    ensemble    the worst of several, image by image       square      without gradients
    sanity      is the attack itself to be trusted?        outcome     what a mask is worth
    examine     the audit, one image after the other       telling     what was found, in words

All but the last row work alone, on any function from tensors to logits.
"""

from delineate.audits.attack.ball import L2, Ball, LInf
from delineate.audits.attack.climb import climbed, fading, fgsm, lost, pgd, started
from delineate.audits.attack.ensemble import OBJECTIVES, Worst, ensemble
from delineate.audits.attack.frozen import frozen
from delineate.audits.attack.quick import quick
from delineate.audits.attack.square import square
from delineate.audits.attack.targeted import Achieved, Target, appearing, targeted, vanishing

__all__ = [
    "L2",
    "OBJECTIVES",
    "Achieved",
    "Ball",
    "LInf",
    "Target",
    "Worst",
    "appearing",
    "climbed",
    "ensemble",
    "fading",
    "fgsm",
    "frozen",
    "lost",
    "pgd",
    "quick",
    "square",
    "started",
    "targeted",
    "vanishing",
]
