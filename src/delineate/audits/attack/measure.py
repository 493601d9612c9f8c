"""What is measured on one image, in order of cost: clean, noise, the ensemble; on a few images also curves, targets, black box.

Everything is counted end to end: changed images are rounded to the type of the file and given to `predict` like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from delineate.audits.attack.ball import L2, LInf
from delineate.audits.attack.climb import Logits, fgsm, pgd, settling, started
from delineate.audits.attack.ensemble import CLEAN, NamedJudge, Worst, ensemble
from delineate.audits.attack.files import Attacked, held
from delineate.audits.attack.objectives import cross_entropy, lost_dice
from delineate.audits.attack.outcome import Outcome, outcome
from delineate.audits.attack.square import square
from delineate.audits.attack.targeted import Achieved, Target, achieved, appearing, targeted, vanishing
from delineate.data.intensities import Intensities

Predict = Callable[[NDArray[Any]], NDArray[np.float32]]

NOISE, SQUARE, TRANSFER = "noise of that size", "square (no gradients)", "transfer from the surrogate"


@dataclass(frozen=True, eq=False)
class Look:
    """What was found on one image. outcomes: by the name of the attack. worst: the changed image, by which attack, what was
    predicted for it and for the clean one. changed: the largest change of a pixel in that file, in intensities."""

    attacked: Attacked
    outcomes: Mapping[str, Outcome]
    image: NDArray[Any]
    by: str
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    changed: float

    @property
    def worst(self) -> Outcome:
        """The outcome of the strongest attack."""
        return self.outcomes[self.by]


@dataclass(frozen=True)
class Close:
    """What only a few images were looked at for. by_steps, by_eps: number of steps, and eps as a share of the eps asked for,
    -> outcome. noise_by_eps: the same eps, noise. l2: within a ball of a quarter of eps, root mean square. unbounded: eps the
    whole range. dead: no slope anywhere. vanished, appeared: None where the image has no such target."""

    by_steps: Mapping[int, Outcome]
    by_eps: Mapping[float, Outcome]
    noise_by_eps: Mapping[float, Outcome]
    l2: Outcome
    black_box: Outcome
    unbounded: Outcome
    dead: bool
    vanished: Achieved | None
    appeared: Achieved | None


@dataclass(frozen=True, eq=False)
class Examiner:
    """One subject under attack. predict: counts. logits: is climbed, None without gradients. surrogate: another model's
    logits, whose attacks are tried here. like: `logits` with the brightness of given images held. eps: in intensities."""

    predict: Predict
    logits: Logits | None
    surrogate: Logits | None
    valid: Intensities
    eps: float
    steps: int
    queries: int
    seed: int
    like: Callable[[Tensor], Logits] | None = None

    def look(self, one: Attacked) -> Look:
        """Clean, noise, every attack, and the worst of them."""
        outcomes: dict[str, Outcome] = {}
        worst = ("", -math.inf, one.case.image, np.zeros(0, np.uint8))

        def judged(name: str, image: NDArray[Any]) -> float:
            nonlocal worst
            predicted = self.labels(image)
            outcomes[name] = outcome(one.case, predicted)
            harm = outcomes[name].harm
            if name != CLEAN and harm > worst[1]:
                worst = (name, harm, image, predicted)
            return harm

        before = self.labels(one.case.image)
        judged(CLEAN, one.case.image)
        judged(NOISE, one.image(self.noisy(one, self.eps)))
        if self.logits is not None:
            plain = fgsm(self.logits, one.images, one.labels, ball=LInf(self.eps), valid=self.valid)
            judged("FGSM", one.image(self.kept(one, plain)))
            self.ensembled(one, self.logits, lambda name, given: judged(name, one.image(given)))
        else:
            judged(SQUARE, self.squared(one))
        if self.surrogate is not None:
            judged(TRANSFER, one.image(self.ensembled(one, self.surrogate, None).images))
        name, _, image, after = worst
        change = np.abs(image.astype(np.float64) - one.case.image.astype(np.float64))
        return Look(one, outcomes, image, name, before, after, float(change.max(initial=0)))

    def close(self, one: Attacked, *, steps: tuple[int, ...], shares: tuple[float, ...]) -> Close:
        """Curves, checks and targets on one image; needs gradients."""
        logits = self.logits
        if logits is None:
            raise ValueError("a closer look needs gradients")

        def after(eps: float, count: int, start: Tensor | None) -> Outcome:
            found = settling(
                logits,
                one.images,
                one.labels,
                objective=lost_dice,
                ball=LInf(eps),
                valid=self.valid,
                steps=count,
                start=start,
            )
            return self.counted(one, self.kept(one, found, eps))

        def from_noise(eps: float, count: int) -> Outcome:
            return after(eps, count, started(one.images, ball=LInf(eps), valid=self.valid, seed=self.seed))

        whole_range = self.valid.high - self.valid.low
        ball = L2(self.eps / 4)
        round_ball = pgd(
            logits, one.images, one.labels, ball=ball, valid=self.valid, steps=self.steps, objective=lost_dice
        )
        vanish, appear = (self.aimed(one, make) for make in (vanishing, appearing))
        return Close(
            by_steps={count: from_noise(self.eps, count) for count in steps},
            by_eps={share: from_noise(self.eps * share, self.steps) for share in shares},
            noise_by_eps={share: self.counted(one, self.noisy(one, self.eps * share)) for share in shares},
            l2=self.counted(one, held(round_ball, images=one.images, ball=ball, valid=self.valid)),
            black_box=outcome(one.case, self.labels(self.squared(one))),
            unbounded=after(whole_range, max(self.steps, 20), None),
            dead=self.dead(one),
            vanished=vanish,
            appeared=appear,
        )

    def labels(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """What is predicted, (*spatial)."""
        return np.asarray(self.predict(image).argmax(0), np.uint8)

    def counted(self, one: Attacked, changed: Tensor) -> Outcome:
        """How the model does on changed images."""
        return outcome(one.case, self.labels(one.image(changed)))

    def kept(self, one: Attacked, changed: Tensor, eps: float | None = None) -> Tensor:
        """What a file keeps of them."""
        return held(changed, images=one.images, ball=LInf(eps or self.eps), valid=self.valid)

    def noisy(self, one: Attacked, eps: float) -> Tensor:
        """Each value moved by eps, up or down at random."""
        generator = torch.Generator().manual_seed(self.seed)
        sides = torch.randint(0, 2, one.images.shape, generator=generator) * 2 - 1
        return self.kept(one, (one.images + eps * sides).clamp(self.valid.low, self.valid.high), eps)

    def ensembled(self, one: Attacked, logits: Logits, judge: NamedJudge | None) -> Worst:
        """The ensemble on one image, against these logits."""
        ball = LInf(self.eps)
        return ensemble(
            logits,
            one.images,
            one.labels,
            ball=ball,
            valid=self.valid,
            steps=self.steps,
            seed=self.seed,
            judge=judge,
            held=partial(held, images=one.images, ball=ball, valid=self.valid),
            exact=self.like(one.images) if self.like and logits is self.logits else None,
        )

    def squared(self, one: Attacked) -> NDArray[Any]:
        """The black box on one image."""
        truth = one.case.labels if one.case.labels is not None else self.labels(one.case.image)
        return square(
            self.predict,
            one.case.image,
            truth,
            eps=self.eps,
            valid=self.valid,
            queries=self.queries,
            seed=self.seed,
        )

    def aimed(self, one: Attacked, make: Callable[..., Target | None]) -> Achieved | None:
        """A targeted attack on one image."""
        truth = one.case.labels
        before = self.labels(one.case.image)
        target = None if truth is None or self.logits is None else make(before, truth)
        if target is None or self.logits is None:
            return None
        target = replace(
            target,
            labels=target.labels.reshape(one.labels.shape),
            where=target.where.reshape(one.labels.shape),
        )
        changed = targeted(
            self.logits, one.images, target, ball=LInf(self.eps), valid=self.valid, steps=2 * self.steps
        )
        return achieved(before, self.labels(one.image(self.kept(one, changed))), target)

    def dead(self, one: Attacked) -> bool:
        """Whether the slope of cross-entropy is zero at every pixel."""
        point = one.images.clone().requires_grad_()
        if self.logits is None:
            return True
        (slope,) = torch.autograd.grad(cross_entropy(self.logits(point), one.labels, 0.0).sum(), point)
        return not bool(slope.any())
