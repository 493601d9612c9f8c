"""Whoever drew the same images, in one order: people, what they agree on, and the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from delineate.audits.evidence import Evidence
from delineate.audits.subject import Subject
from delineate.core import UNLABELLED, Case, DataError
from delineate.data.consensus import Consensus, majority
from delineate.score import components

Ids = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Hand:
    """What one person, or the model, drew. labels: (*spatial) uint8 of each image, None where they drew nothing of it;
    objects: (*spatial) ids of each, None where there are none."""

    name: str
    labels: tuple[NDArray[np.uint8] | None, ...]
    objects: tuple[Ids | None, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """The images that two people or more labelled, with everybody's hand in them.

    images: a case each, for its pixels, spacing and group. consensus: of each image. model: None where it drew none.
    """

    images: tuple[Case, ...]
    people: tuple[Hand, ...]
    consensus: tuple[Consensus, ...]
    model: Hand | None
    notes: tuple[str, ...] = ()

    @cached_property
    def groups(self) -> list[str]:
        """The group (patient, slide) of each image."""
        return [case.group for case in self.images]

    @cached_property
    def agreed(self) -> Hand:
        """The consensus as a hand."""
        objects = tuple(one.objects for one in self.consensus)
        return Hand("consensus", tuple(one.labels for one in self.consensus), objects)


def gathered(subject: Subject, evidence: Evidence, *, most: int) -> Group:
    """Everybody's drawings of at most `most` images; raises DataError where nobody can be compared with anybody."""
    annotators = evidence.annotators
    if len(annotators) < 2:
        who = f"{next(iter(annotators))} alone labelled" if annotators else "no two people labelled"
        raise DataError(f"{who} these images: to compare people, put each one's masks into masks/NAME/")
    by_name = {person: {case.name: case for case in cases} for person, cases in annotators.items()}
    shown: dict[str, Case] = {}
    count: dict[str, int] = {}
    for own in by_name.values():
        for name, case in own.items():
            if case.labels is not None:
                shown.setdefault(name, case)
                count[name] = count.get(name, 0) + 1
    names = sorted(name for name, several in count.items() if several > 1)
    if not names:
        raise DataError(
            "no image was labelled by two people: to compare them, let each label some images of the others"
        )
    notes = [] if len(names) <= most else [f"{most} of {len(names)} images that several people labelled"]
    step = max(len(names) / most, 1.0)
    names = [names[int(i * step)] for i in range(min(most, len(names)))]
    people = tuple(_hand(person, [own.get(name) for name in names]) for person, own in by_name.items())
    images = tuple(shown[name] for name in names)
    consensus = []
    for i in range(len(names)):
        present = [one for one in people if one.labels[i] is not None]
        ids = [one.objects[i] for one in present]
        known = None if any(one is None for one in ids) else [one for one in ids if one is not None]
        consensus.append(
            majority([drew for one in present if (drew := one.labels[i]) is not None], objects=known)
        )
    model, told = _model(subject, images, evidence)
    return Group(images, people, tuple(consensus), model, (*notes, *told))


def objects_in(labels: NDArray[np.uint8], ids: Ids | None) -> Ids:
    """Ids (*spatial); the connected pieces of each class where nobody gave any."""
    if ids is not None:
        return ids
    found = np.zeros(labels.shape, np.int32)
    for label in np.unique(labels):
        if label not in (0, UNLABELLED):
            pieces = components(labels == label)
            found = np.where(pieces > 0, pieces + found.max(), found)
    return found


def _hand(name: str, cases: Sequence[Case | None]) -> Hand:
    return Hand(
        name,
        tuple(case.labels if case else None for case in cases),
        tuple(case.objects if case else None for case in cases),
    )


def _model(
    subject: Subject, images: Sequence[Case], evidence: Evidence
) -> tuple[Hand | None, tuple[str, ...]]:
    """The model's hand, with object ids where it tells objects apart; images that it has no masks of stay open."""
    labels: list[NDArray[np.uint8] | None] = []
    objects: list[Ids | None] = []
    plan = getattr(getattr(subject.method, "learnt", None), "plan", None)
    for number, case in enumerate(images, start=1):
        evidence.tell(f"annotators: {subject.name} outlines image {number} of {len(images)}")
        if plan is not None and plan.objects and subject.method is not None:
            probabilities, ids = subject.method.outline(case.image)
            labels.append(np.asarray(probabilities.argmax(0), np.uint8))
            objects.append(ids)
            continue
        labels.append(subject.labels(case) if subject.has(case) else None)
        objects.append(None)
    without = sum(one is None for one in labels)
    if without == len(images):
        return None, (f"{subject.name} has no mask of these images: people are compared without it",)
    notes = (f"{subject.name} has no mask of {without} of {len(images)} images",) if without else ()
    for case, own in zip(images, labels, strict=True):
        if own is not None and own.shape != case.spatial:
            raise DataError(
                f"the mask of {case.name} by {subject.name} is {own.shape} but its image is {case.spatial}: "
                "predict at the size of the image"
            )
    return Hand(subject.name, tuple(labels), tuple(objects)), notes


def by_pairs(hands: Sequence[Hand]) -> Mapping[tuple[str, str], tuple[Hand, Hand]]:
    """Every two of them, in order."""
    return {(one.name, other.name): (one, other) for i, one in enumerate(hands) for other in hands[i + 1 :]}
