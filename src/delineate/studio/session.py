"""What can be done with a project: teach, outline, judge, audit. One thing at a time, each one call of `delineate.flow`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from delineate import flow
from delineate.core import DataError, DelineateError
from delineate.data.labelled import load_masks
from delineate.data.problem import listed
from delineate.score.folders import class_index
from delineate.studio.project import Project
from delineate.studio.rounds import Round, begun_round, rounds_in
from delineate.studio.work import Stopped, Work

REGIONS = 12  # to draw in next, after each training
KEPT = 12  # predictions in memory
As = Literal["classes", "objects", "split"]


class Session:
    """A project with its rounds and what is being done. test: a data folder with full masks to judge models on.

    >>> import tempfile
    >>> from delineate.data.samples import write
    >>> from delineate.studio import begun
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     session = Session(begun(write(Path(scratch) / "coins") / "train", out=Path(scratch) / "project"))
    ...     session.train(steps=1)
    ...     session.work.wait()
    ...     labels, unsure = session.predicted("coins_y000_x077")
    >>> labels.shape, labels.dtype, unsure.dtype, len(session.rounds)
    ((85, 170), dtype('uint8'), dtype('uint8'), 1)
    """

    def __init__(self, project: Project, *, test: str | Path | None = None) -> None:
        self.project, self.test = project, None if test is None else Path(test)
        self.folder = project.folder / "rounds"
        self.rounds = rounds_in(self.folder)
        self.work: Work | None = None
        self._starting, self._predicting = threading.Lock(), threading.Lock()
        self._methods: dict[int, Any] = {}
        self._predicted: OrderedDict[tuple[int, str], tuple[NDArray[np.uint8], NDArray[np.uint8]]] = (
            OrderedDict()
        )

    def train(
        self, *, minutes: float | None = None, steps: int | None = None, from_last: bool = False
    ) -> None:
        """Teach a model on what is drawn, then look for the regions where strokes would help most.

        from_last: begin from the model of the last round. Raises DataError where something else is being done, and where
        nothing is drawn of a class.
        """
        self._all_classes_drawn()
        before = self.round().model if from_last else None

        def do(work: Work) -> None:
            new = begun_round(self.folder)
            method = flow.train(
                self.project.folder,
                out=new.model,
                minutes=minutes,
                steps=steps,
                from_model=before,
                tell=work.tell,
                watch=work.watch,
            )
            labelled = len(set(self.project.counts) | self.project.masked)
            new = new.keep(work.lines, images=labelled)
            self._methods[new.number] = method
            self.rounds = [*self.rounds, new]
            self._suggest(new, method, work)

        self._start("training", do)

    def _all_classes_drawn(self) -> None:
        """Raise DataError where a class has no stroke; what masks hold is known to the training alone."""
        project = self.project
        if project.masked:
            return
        names, counts = project.classes.names, project.counts.values()
        lacking = [name for i, name in enumerate(names) if not any(count[i] for count in counts)]
        if lacking:
            also = ", or take the last class away with - class" if lacking == list(names[2:])[-1:] else ""
            raise DataError(
                f"nothing is drawn of {listed(lacking)} yet: draw a few strokes of each class{also}, then train"
            )

    def _suggest(self, now: Round, method: Any, work: Work) -> None:
        """Rank the regions in which nobody drew; where there is none, or one image alone is in the way, that is told."""
        work.share = work.remaining = None
        work.doing("looking for the regions where strokes would help most")
        try:
            flow.suggest(
                method,
                self.project.folder / "images",
                out=now.free("next"),
                count=REGIONS,
                labelled=self.project.folder,
                progress=work.progress,
            )
        except Stopped:
            raise Stopped(
                f"looking for regions was stopped; the model of round {now.number} is there"
            ) from None
        except DelineateError as error:
            work.tell(f"no region is proposed: {error}")

    def outline(self, *, number: int | None = None, as_: As = "classes") -> None:
        """Write masks of all images of the project, by the model of a round (None: the last), into a folder of the round.

        as_: classes, objects (an id each), or split (objects, and such as touch are split at their necks).
        """
        chosen = self.round(number)

        def do(work: Work) -> None:
            learns = self._keeps_apart(chosen)
            out = chosen.free("outlined")
            flow.predict(
                chosen.model,
                self.project.folder / "images",
                out=out,
                objects=as_ != "classes",
                watershed=as_ == "split" and not learns,
                tell=work.tell,
                progress=work.progress,
            )
            work.tell(f"masks: {out}")

        self._start("outlining", do)

    def judge(self, *, number: int | None = None) -> None:
        """Outline the test images with the model of a round and score them: a report. Raises DataError without a test folder."""
        chosen, test = self.round(number), self._test()

        def do(work: Work) -> None:
            self._same_classes(chosen, test)
            work.doing("outlining the test images")
            out = chosen.free("tested")
            flow.predict(
                chosen.model,
                test,
                out=out,
                objects=self._keeps_apart(chosen),
                tell=work.tell,
                progress=work.progress,
            )
            work.doing("scoring them")
            report = chosen.free("report")
            flow.score(out, test, out=report, progress=work.progress)
            work.tell(f"report: {report / 'report.html'}")

        self._start("testing", do)

    def audit(self, *, number: int | None = None) -> None:
        """Audit the model of a round on the test images. Raises DataError without a test folder."""
        chosen, test = self.round(number), self._test()

        def do(work: Work) -> None:
            self._same_classes(chosen, test)
            found = flow.audit(chosen.model, test, out=chosen.free("audit"), tell=work.tell, watch=work.doing)
            work.tell(f"audit: {found.page}")

        self._start("auditing", do)

    def name_classes(self, names: Sequence[str]) -> None:
        """Name the classes of the project, or add some. Raises DataError as it does, and for other names during a training."""
        there = self.project.classes.names
        training = self.work is not None and self.work.running and self.work.what == "training"
        if training and tuple(names[: len(there)]) != there:
            raise DataError(
                "a training goes on under these names: rename classes when it has ended, or stop it"
            )
        self.project.name_classes(names)

    def stop(self) -> None:
        """Ask what is being done to end; strokes and finished rounds stay."""
        if self.work is not None:
            self.work.stop()

    def round(self, number: int | None = None) -> Round:
        """The round of that number, or the last; raises DataError where there is none."""
        found = [one for one in self.rounds if number in (None, one.number)]
        if not found:
            raise DataError(
                "no model has been taught yet: draw strokes of every class in an image, and train"
                if number is None
                else f"there is no round {number}: load the page again"
            )
        return found[-1]

    def predicted(
        self, name: str, *, number: int | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """What the model of a round says of an image: (*spatial) classes, and how unsure it is, 0 to 255."""
        chosen = self.round(number)
        key = chosen.number, name
        with self._predicting:
            if key not in self._predicted:
                from delineate.learn.suggest import uncertainty_of

                probabilities = self._method(chosen).predict(self.project.picture(name).array)
                unsure = np.rint(uncertainty_of(probabilities) * 255).astype(np.uint8)
                self._predicted[key] = probabilities.argmax(0).astype(np.uint8), unsure
                while len(self._predicted) > KEPT:
                    self._predicted.popitem(last=False)
            return self._predicted[key]

    def state(self) -> dict[str, Any]:
        """All but pixels, as JSON has it."""
        project = self.project
        classes = project.classes
        return {
            "folder": str(project.folder),
            "test": str(self.test) if self.test else "",
            "classes": [
                {"name": name, "colour": colour}
                for name, colour in zip(classes.names, classes.colours, strict=True)
            ],
            "images": list(project.entries),
            "counts": project.counts,
            "masked": sorted(project.masked),
            "rounds": [one.state() for one in self.rounds],
            "regions": self.rounds[-1].regions() if self.rounds else [],
            "work": self.work.state() if self.work else None,
        }

    def _start(self, what: str, do: Callable[[Work], None]) -> None:
        with self._starting:
            if self.work is not None and self.work.running:
                raise DataError(f"{self.work.what} goes on: wait until it has ended, or stop it")
            self.work = Work(what, do)

    def _method(self, chosen: Round) -> Any:
        if chosen.number not in self._methods:
            self._methods[chosen.number] = flow.load(chosen.model)
        return self._methods[chosen.number]

    def _keeps_apart(self, chosen: Round) -> bool:
        learnt = getattr(self._method(chosen), "learnt", None)
        return bool(learnt is not None and learnt.plan.objects)

    def _same_classes(self, chosen: Round, test: Path) -> None:
        """Raise DataError where the masks of the test images hold other classes than the model tells apart: before the work."""
        class_index(self._method(chosen).classes, load_masks(test, most=True).classes)

    def _test(self) -> Path:
        if self.test is None:
            raise DataError(
                "there are no test images: start the page with --test and a folder with full masks"
            )
        return self.test
