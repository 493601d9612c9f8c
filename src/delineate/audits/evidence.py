"""What an audit may look at: cases with truth, a second data set, several people's masks, facts about cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from delineate.audits.thresholds import Thresholds, thresholds_in
from delineate.core import Case, DataError


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything besides the model. cases: with labels or without. shifted: of another stain, site or camera.

    annotators: person -> cases with that person's labels, the same names and images. facts: column -> case -> value, as a
    metadata CSV has it. most: at most so many cases are looked at by an audit that is slow; an even choice. tell: progress,
    a sentence at a time.
    """

    cases: tuple[Case, ...]
    shifted: tuple[Case, ...] = ()
    annotators: Mapping[str, Sequence[Case]] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=lambda: thresholds_in(None))
    most: int = 16
    seed: int = 0
    tell: Callable[[str], None] = _silent

    def labelled(self) -> tuple[Case, ...]:
        """The cases with truth; raises DataError where there is none."""
        found = tuple(case for case in self.cases if case.labels is not None)
        if not found:
            raise DataError("no image has a mask, and this audit needs truth: give masks, or leave it out")
        return found

    def some(self, cases: Sequence[Case]) -> tuple[Case, ...]:
        """At most `most` of them, evenly, in their order."""
        count = min(len(cases), self.most)
        return tuple(cases[i * len(cases) // count] for i in range(count))
