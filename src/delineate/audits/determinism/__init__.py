"""Does the answer depend on what should not matter: the batch, the threads, the tiles, the precision, the program?

Each image is asked once as the reference, in float32 and whole, and then again with one thing changed. Told is the largest
difference of a probability and the share of pixels that change their label.
"""

from __future__ import annotations

from delineate.audits.determinism.changes import Answer, Change, change_of, findings, pictures
from delineate.audits.determinism.settings import DEFAULTS, DeterminismSettings
from delineate.audits.determinism.ways import ways
from delineate.audits.evidence import Evidence
from delineate.audits.section import Remedy, Section, Table, with_gravest
from delineate.audits.subject import Subject, at_rest
from delineate.core import DataError
from delineate.data.problem import counted, listed

__all__ = ["DeterminismSettings", "determinism"]


def determinism(subject: Subject, evidence: Evidence, *, settings: DeterminismSettings = DEFAULTS) -> Section:
    """The same images asked again, with one thing changed at a time; needs no truth.

    Raises ModelError for a folder of predictions, DataError without any image.
    """
    subject.asked()
    cases = evidence.some(evidence.cases)[: settings.cases]
    if not cases:
        raise DataError("there is no image to ask about: give at least one")
    with at_rest(subject.network):
        reference, asks, notes = ways(subject, settings, cases)
        first = [reference(case) for case in cases]
        changes: list[Change] = []
        worst: tuple[int, int, Answer] = (0, 0, first[0])
        for kind, what, ask in asks:
            evidence.tell(f"determinism: {what}")
            try:
                again = [ask(case) for case in cases]
            except Exception as error:  # any program may fail in any way: the others are asked all the same
                notes.append(
                    f"{what} was not tried: {(str(error).splitlines() or [type(error).__name__])[0]}"
                )
                continue
            changes.append(change_of(kind, what, first, again))
            for number, (one, other) in enumerate(zip(first, again, strict=True)):
                if (count := int((one.argmax(0) != other.argmax(0)).sum())) > worst[0]:
                    worst = count, number, other
    found = tuple(findings(changes, evidence))
    same = changes and max(change.changed for change in changes) == 0
    largest = max(changes, key=lambda change: (change.changed, change.furthest), default=None)
    sentence = "Nothing could be asked again."
    if largest is not None:
        sentence = (
            f"No pixel changes its label, whatever was changed: {listed(change.what for change in changes)}."
            if same
            else f"At most {100 * largest.changed:.2g} % of the pixels change their label ({largest.what})."
        )
    return Section(
        name="determinism",
        title="Determinism",
        question="Is the answer the same when nothing that matters has changed?",
        sentence=with_gravest(sentence, found),
        findings=found,
        tables=(
            Table(
                "Against the whole image in float32",
                ("changed", "largest difference", "mean difference", "pixels of another label, %"),
                tuple(
                    (c.what, f"{c.furthest:.1e}", f"{c.apart:.1e}", f"{100 * c.changed:.4f}") for c in changes
                ),
            ),
        ),
        pictures=pictures(cases[worst[1]], first[worst[1]], worst[2]) if worst[0] else (),
        remedies=(
            Remedy(
                "Predict with the reference where every pixel has to come back.",
                f"delineate predict {subject.source or 'MODEL'} IMAGES -o OUT --engine torch-float32",
            ),
        )
        if subject.method is not None and not same
        else (),
        notes=(f"{counted(len(cases), 'image')}.", *notes),
        numbers={
            "cases": [case.name for case in cases],
            "changes": [
                {
                    "kind": c.kind,
                    "what": c.what,
                    "furthest": c.furthest,
                    "mean": c.apart,
                    "changed": c.changed,
                }
                for c in changes
            ],
        },
    )
