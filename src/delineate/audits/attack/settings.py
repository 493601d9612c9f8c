"""What a user may change about the audit of attacks."""

from __future__ import annotations

from dataclasses import dataclass

from delineate.audits.subject import Subject


@dataclass(frozen=True)
class AttackSettings:
    """eps: how far each pixel may change, in 255ths of the range of the images: grey levels of 8-bit files. steps: of each
    attack. images: attacked at most, evenly chosen. close: of them looked at closely (curves, targets, black box, checks).
    queries: of the black box. surrogate: another model of the same task that has gradients, the folder of a trained one or a
    subject, whose attacks are tried here."""

    eps: float = 4.0
    steps: int = 20
    images: int = 8
    close: int = 3
    queries: int = 200
    by_steps: tuple[int, ...] = (1, 3, 10, 20)
    by_eps: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    surrogate: str | Subject | None = None


DEFAULTS = AttackSettings()
