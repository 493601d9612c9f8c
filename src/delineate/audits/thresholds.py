"""Where a finding stops being good, and where it becomes bad: one table, in a file that the user may change.

The defaults are conventions, not laws: each stands beside its reason. A changed table is read from TOML:

    [shift.agreement]
    warn = 0.995
    fail = 0.98
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from delineate.audits.section import Finding, Verdict
from delineate.core import DataError


@dataclass(frozen=True)
class Threshold:
    """Worse than `warn` is a warning, worse than `fail` a failure. higher: whether higher is better; None: as their order tells.

    >>> Threshold(warn=0.99, fail=0.95, reason="one pixel in a hundred").verdict(0.97)
    'warn'
    >>> Threshold(warn=0.05, fail=0.1, reason="of Dice").verdict(0.01)
    'pass'
    """

    warn: float
    fail: float
    reason: str
    higher: bool | None = None

    @property
    def higher_is_better(self) -> bool:
        """Equal ends that do not say leave the higher for the better."""
        return self.warn >= self.fail if self.higher is None else self.higher

    def verdict(self, value: float) -> Verdict:
        """open for nan."""
        if math.isnan(value):
            return "open"
        higher = self.higher_is_better
        if value < self.fail if higher else value > self.fail:
            return "fail"
        return "warn" if (value < self.warn if higher else value > self.warn) else "pass"

    @property
    def rule(self) -> str:
        """In words.

        >>> Threshold(warn=0.05, fail=0.1, reason="of Dice").rule
        'warns above 0.05, fails above 0.1: of Dice'
        """
        side = "below" if self.higher_is_better else "above"
        return f"warns {side} {self.warn:g}, fails {side} {self.fail:g}: {self.reason}"


_CARELESS = "the severity that takes 0.05 of Dice; 1 is hardly seen, 3 is a careless day"

THRESHOLDS: dict[str, Threshold] = {
    "conditions.shifted": Threshold(0.05, 0.15, "of Dice, lost on the second data set"),
    "conditions.light": Threshold(3, 1, _CARELESS),
    "conditions.camera": Threshold(3, 1, _CARELESS),
    "conditions.stain": Threshold(3, 1, _CARELESS),
    "conditions.inversion": Threshold(3, 0, f"{_CARELESS}; another contrast is another instrument"),
    "conditions.motion": Threshold(3, 1, _CARELESS),
    "calibration.ece": Threshold(
        0.02, 0.05, "mean gap between what is promised and what comes true, over all pixels"
    ),
    "calibration.border_ece": Threshold(0.05, 0.1, "the same within 3 px of a border of truth"),
    "guarantee.excess": Threshold(1, 3, "standard errors by which more is missed than promised"),
    "guarantee.stored": Threshold(1, 3, "standard errors by which the model's own guarantee is broken here"),
    "guarantee.precision": Threshold(
        0.8, 0.5, "share of what is outlined under the guarantee that is foreground"
    ),
    "determinism.twice": Threshold(0, 1e-6, "the same image, threads and program must give the same bits"),
    "determinism.batch": Threshold(
        1e-4, 1e-3, "share of pixels that change their label with their company in a batch"
    ),
    "determinism.threads": Threshold(
        1e-4, 1e-3, "share of pixels that change their label with the number of threads"
    ),
    "determinism.tiles": Threshold(1e-4, 1e-3, "share of pixels that change their label with the tiles"),
    "determinism.precision": Threshold(0.005, 0.02, "share of pixels of another label in bfloat16"),
    "determinism.engine": Threshold(
        1e-4, 1e-3, "share of pixels of another label by another program in float32"
    ),
    "seeds.spread": Threshold(0.01, 0.03, "standard deviation of the mean Dice over trainings"),
    "seeds.disagreement": Threshold(0.1, 0.25, "share of the outlined pixels on which trainings disagree"),
    "attack.kept": Threshold(0.8, 0.5, "share of the clean Dice that the strongest attack leaves"),
    "attack.noise": Threshold(0.98, 0.95, "share of the clean Dice that noise of that size leaves"),
    "attack.checks": Threshold(1.0, 0.7, "share of the checks that the attack itself passes"),
    "shift.agreement": Threshold(
        0.995, 0.98, "of the pixels keep their label when the frame begins elsewhere"
    ),
    "shift.circular": Threshold(
        0.995, 0.98, "of the pixels keep their label when the image moves in a circle"
    ),
    "shift.probability": Threshold(0.5, 0.95, "a change by half can turn over a label that was certain"),
    "shift.dice": Threshold(0.01, 0.03, "of Dice, as much as methods are told apart by"),
    "annotators.agreement": Threshold(
        0.8, 0.6, "Dice of the two people furthest apart; where they differ, a model is wrong for one"
    ),
    "annotators.border_px": Threshold(1.0, 2.0, "pixels between one person's borders and those of all"),
    "annotators.small_missed": Threshold(0.05, 0.2, "of the small objects, that one person leaves out"),
    "annotators.model_among_people": Threshold(
        -0.02, -0.05, "Dice with people less theirs with each other, at the lower end of the interval"
    ),
    "annotators.model_border_px": Threshold(
        1.0, 2.0, "pixels between the model's borders and those of people"
    ),
    "annotators.leaning": Threshold(
        0.25,
        0.5,
        "share of the pixels where one person stands alone, that it sides with more than with the others'",
    ),
    "subgroups.gap": Threshold(0.03, 0.1, "Dice by which a subgroup is worse than all others, beyond chance"),
}
"""The defaults, by the name of the finding."""


@dataclass(frozen=True)
class Thresholds:
    """The table in force. `judged` makes a finding of a number.

    >>> table = Thresholds({"shift.agreement": Threshold(0.99, 0.95, "one pixel in a hundred")})
    >>> table.judged("shift.agreement", 0.9, "90 % of the pixels keep their label.").verdict
    'fail'
    """

    table: Mapping[str, Threshold]

    def judged(self, name: str, value: float, sentence: str) -> Finding:
        """The finding called `name`; raises KeyError for a name that is not in the table."""
        threshold = self.table[name]
        return Finding(name, value, sentence, threshold.verdict(value), threshold.rule)


def thresholds_in(path: Path | None) -> Thresholds:
    """The defaults, with what the TOML file at `path` changes; raises DataError for names and values that are none.

    >>> thresholds_in(None).table == THRESHOLDS
    True
    """
    table = dict(THRESHOLDS)
    if path is None:
        return Thresholds(table)
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise DataError(f"thresholds {path} cannot be read ({error.strerror}): check the name") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"thresholds {path} are not TOML ({error}): start from the thresholds.toml of an audit"
        ) from error
    for audit, names in content.items():
        for name, ends in (names if isinstance(names, dict) else {"": names}).items():
            key = f"{audit}.{name}"
            if key not in table:
                raise DataError(f"{path} names {key}, which is no finding: choose from {', '.join(table)}")
            if (
                not isinstance(ends, dict)
                or not set(ends) <= {"warn", "fail"}
                or not all(map(_number, ends.values()))
            ):
                raise DataError(
                    f"{key} in {path} is not understood: give numbers warn and fail, and nothing else"
                )
            table[key] = _changed(table[key], ends, key=key, path=path)
    return Thresholds(table)


def _changed(old: Threshold, ends: Mapping[str, float], *, key: str, path: Path) -> Threshold:
    """With other ends; which side is the better one is not for a file to change, least of all by leaving an end out."""
    warn, fail = float(ends.get("warn", old.warn)), float(ends.get("fail", old.fail))
    if warn != fail and (warn > fail) != old.higher_is_better:
        better, worse = ("higher", "lower") if old.higher_is_better else ("lower", "higher")
        raise DataError(
            f"{key} in {path} would warn at {warn:g} and fail at {fail:g}, but {better} is better there: give both warn and "
            f"fail, and let fail be the {worse} one"
        )
    return Threshold(warn, fail, f"as {path.name} has it", higher=old.higher_is_better)


def thresholds_toml(thresholds: Thresholds) -> str:
    """The table as TOML, with reasons as comments, for `thresholds_in` to read again.

    >>> print(thresholds_toml(Thresholds({"shift.agreement": Threshold(0.99, 0.95, "one pixel in a hundred")})))
    # warns below 0.99, fails below 0.95: one pixel in a hundred
    [shift.agreement]
    warn = 0.99
    fail = 0.95
    <BLANKLINE>
    """
    return "\n".join(
        f"# {one.rule}\n[{name}]\nwarn = {one.warn!r}\nfail = {one.fail!r}\n"
        for name, one in thresholds.table.items()
    )


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
