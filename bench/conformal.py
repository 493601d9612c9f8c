"""Is the promise kept? The share of missed foreground under thresholds of conformal risk control, over random splits.

    python bench/conformal.py MODEL DATA [--alpha 0.05 0.1] [--splits 500] [--cache probabilities.npz]

The labelled images of DATA are parted at random again and again: on one half the threshold is chosen, on the other it is
judged. Printed are the mean over the splits of the share that is missed, its standard error (images are shared by the
splits, so it is that of the mean over images, not of 500 independent draws), the thresholds, and the price: precision and
Dice beside those of the most likely class. The same splits show what a temperature fitted on one half does to the
calibration of the other.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from delineate import data as files
from delineate.core.likely import foreground, tempered
from delineate.score import (
    border_band,
    calibration,
    fitted_temperature,
    missed_foreground,
    pool_calibrations,
    risk_controlled_threshold,
)


def main() -> None:
    """Parse, predict once, split many times, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.05, 0.1])
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--cache", type=Path)
    parser.add_argument(
        "--train", type=Path, help="what MODEL was trained on: the temperature of what was held out there"
    )
    wanted = parser.parse_args()
    found = files.load(wanted.data)
    cases = [case for case in (*found.cases, *found.validation) if case.labels is not None]
    truth = [case.labels for case in cases if case.labels is not None]
    likely = answers(wanted.model, cases, wanted.cache)
    ahead = [foreground(one) for one in likely]
    print(f"{len(cases)} images of {wanted.data}")
    for alpha in wanted.alpha:
        promise(truth, ahead, alpha=alpha, splits=wanted.splits)
        left_out(truth, ahead, alpha=alpha)
    temperature(truth, likely, splits=min(wanted.splits, 20))
    if wanted.train is not None:
        held = held_out(wanted.model, wanted.train)
        fit = fitted_temperature([case.labels for case in held], answers(wanted.model, held, None))
        six = [*errors(truth, likely, 1.0), *errors(truth, likely, fit.temperature)]
        print(f"temperature {fit.temperature:.3f} of {len(held)} cases that training held out: {told(six)}")


def answers(model: Path, cases: list[files.Case], cache: Path | None) -> list[np.ndarray]:
    """Probabilities (classes, *spatial) of each case at temperature 1, predicted once."""
    if cache is not None and cache.exists():
        with np.load(cache) as kept:
            return [kept[case.name] for case in cases]
    from dataclasses import replace

    from delineate.learn import UNetMethod

    method = UNetMethod.load(model)
    method.learnt = replace(method.fitted(), temperature=1.0)
    method.use_engine("torch-float32")
    likely = [method.predict(case.image) for case in cases]
    if cache is not None:
        np.savez_compressed(cache, **{case.name: one for case, one in zip(cases, likely, strict=True)})
    return likely


def promise(truth: list[np.ndarray], ahead: list[np.ndarray], *, alpha: float, splits: int) -> None:
    """One line: what is missed, and the price."""
    draw = np.random.default_rng(0)
    inside = [np.sort(one[labels == 1]) for labels, one in zip(truth, ahead, strict=True)]
    everywhere = [np.sort(one[labels != 255].ravel()) for labels, one in zip(truth, ahead, strict=True)]
    risks, thresholds, precisions, dices = [], [], [], []
    times, sums = np.zeros(len(truth)), np.zeros(len(truth))
    for _ in range(splits):
        order = draw.permutation(len(truth))
        chosen, judged = order[: len(order) // 2], order[len(order) // 2 :]
        threshold = risk_controlled_threshold(
            [truth[i] for i in chosen], [ahead[i] for i in chosen], alpha=alpha
        )
        missed = np.array([np.searchsorted(inside[i], threshold) / len(inside[i]) for i in judged])
        drawn = np.array([len(everywhere[i]) - np.searchsorted(everywhere[i], threshold) for i in judged])
        sizes = np.array([len(inside[i]) for i in judged])
        hits = (1 - missed) * sizes
        risks.append(missed.mean())
        thresholds.append(threshold)
        precisions.append(np.mean(hits / np.maximum(drawn, 1)))
        dices.append(np.mean(2 * hits / (drawn + sizes)))
        times[judged] += 1
        sums[judged] += missed
    of_image = sums / times
    error = float(of_image.std(ddof=1) / np.sqrt(len(of_image)))
    check = missed_foreground(truth[judged[0]], ahead[judged[0]], threshold=threshold)
    if not np.isclose(check, missed[0]):
        raise SystemExit("the fast count of missed foreground differs from missed_foreground")
    print(
        f"alpha {alpha:g}: missed {np.mean(risks):.4f}, standard error {error:.4f} over images and "
        f"{np.std(risks) / np.sqrt(splits):.4f} over {splits} splits; threshold {np.median(thresholds):.3f} "
        f"({np.quantile(thresholds, 0.05):.3f} to {np.quantile(thresholds, 0.95):.3f}); precision "
        f"{np.mean(precisions):.3f}, Dice {np.mean(dices):.3f}"
    )
    plain = [(one > 0.5, labels == 1) for labels, one in zip(truth, ahead, strict=True)]
    print(
        "  most likely class: missed "
        f"{np.mean([1 - (a & b).sum() / b.sum() for a, b in plain]):.4f}, precision "
        f"{np.mean([(a & b).sum() / max(a.sum(), 1) for a, b in plain]):.3f}, Dice "
        f"{np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in plain]):.3f}"
    )


def left_out(truth: list[np.ndarray], ahead: list[np.ndarray], *, alpha: float) -> None:
    """One line: every image judged under the threshold of all others, as a user with so many images has it."""
    missed, drawn = [], []
    for one in range(len(truth)):
        others = [i for i in range(len(truth)) if i != one]
        threshold = risk_controlled_threshold(
            [truth[i] for i in others], [ahead[i] for i in others], alpha=alpha
        )
        missed.append(missed_foreground(truth[one], ahead[one], threshold=threshold))
        above = (ahead[one] >= threshold) & (truth[one] != 255)
        drawn.append((above & (truth[one] == 1)).sum() / above.sum())
    error = np.std(missed, ddof=1) / np.sqrt(len(missed))
    print(
        f"  chosen on all but one: missed {np.mean(missed):.4f}, standard error {error:.4f}; threshold {threshold:.3f}, "
        f"precision {np.mean(drawn):.3f}"
    )


def held_out(model: Path, train: Path) -> list[files.Case]:
    """The cases that `delineate train` held out of a data folder, by the seed of the model."""
    from delineate.flow.holding_out import split_off
    from delineate.learn.learnt import description

    return split_off(files.load(train).cases, seed=description(model)["record"]["seed"])[1]


def errors(truth: list[np.ndarray], likely: list[np.ndarray], softness: float) -> list[float]:
    """ECE, ECE near borders and Brier score of all images together, at a temperature."""
    ahead = [foreground(tempered(one, temperature=softness)) for one in likely]
    whole = pool_calibrations(
        calibration(labels, one, label=1) for labels, one in zip(truth, ahead, strict=True)
    )
    band = pool_calibrations(
        calibration(labels, one, label=1, within=border_band(labels))
        for labels, one in zip(truth, ahead, strict=True)
    )
    return [whole.ece, band.ece, whole.brier]


def told(six: list[float]) -> str:
    """Before and after, in words."""
    return f"ECE {six[0]:.4f} -> {six[3]:.4f}, near borders {six[1]:.4f} -> {six[4]:.4f}, Brier {six[2]:.4f} -> {six[5]:.4f}"


def temperature(truth: list[np.ndarray], likely: list[np.ndarray], *, splits: int) -> None:
    """One line: calibration of one half without and with the temperature fitted on the other."""
    draw = np.random.default_rng(0)
    rows = []
    for _ in range(splits):
        order = draw.permutation(len(truth))
        chosen, judged = order[: len(order) // 2], order[len(order) // 2 :]
        fit = fitted_temperature([truth[i] for i in chosen], [likely[i] for i in chosen])
        part = [truth[i] for i in judged], [likely[i] for i in judged]
        row = [fit.temperature, *errors(*part, 1.0), *errors(*part, fit.temperature)]
        rows.append(row)
    t, *six = np.mean(rows, axis=0)
    spread = np.std([row[0] for row in rows])
    print(f"temperature {t:.3f} (standard deviation over {splits} splits {spread:.3f}): {told(six)}")


if __name__ == "__main__":
    main()
