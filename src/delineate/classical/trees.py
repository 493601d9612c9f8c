"""Decision trees as plain arrays: what scikit-learn has grown is kept without pickling, and asked by a compiled loop.

A model is then a table of numbers that any program can read, and a prediction needs no scikit-learn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.core import DataError

CHUNK = 16384  # rows of one task


@dataclass(frozen=True, eq=False)
class Trees:
    """The nodes of all trees in one list.

    roots: (trees,) index of each tree's first node. left, right: (nodes,) indices, -1 at a leaf. feature: (nodes,)
    column that is asked. threshold: (nodes,) float64; up to it one goes left. value: (nodes, classes) float32, what a
    leaf adds to the score of each class. softmax: scores become probabilities by softmax, and else by their sum.
    """

    roots: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float32]
    softmax: NDArray[np.bool_]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, to be written to a file."""
        return asdict(self)

    def check(self, *, features: int, classes: int) -> None:
        """Raise ValueError where the arrays do not make trees that ask `features` columns about `classes`."""
        nodes = len(self.left)
        fits = (
            self.value.shape == (nodes, classes)
            and all(len(a) == nodes for a in (self.right, self.feature, self.threshold))
            and len(self.roots) > 0
            and 0 <= self.roots.min() <= self.roots.max() < nodes
            and bool(np.all((self.left == -1) == (self.right == -1)))
        )
        inner = np.flatnonzero(self.left != -1) if fits else np.zeros(0, int)
        rising = all(
            np.all((side[inner] > inner) & (side[inner] < nodes)) for side in (self.left, self.right)
        )
        asked = self.feature[inner]
        if not fits or not rising or (asked.size and not 0 <= asked.min() <= asked.max() < features):
            raise ValueError("its trees lead nowhere")

    def weighted(self, factors: NDArray[np.float32]) -> Trees:
        """The same trees where class c is `factors[c]` times as frequent: probabilities times these, summing to 1."""
        if not self.softmax.any():
            return replace(self, value=self.value * factors)
        value = self.value.copy()
        end = self.roots[1] if len(self.roots) > 1 else len(value)
        value[:end] += np.log(np.maximum(factors, 1e-12))
        return replace(self, value=value.astype(np.float32))

    def probabilities(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (n, classes) for columns (features, n)."""
        count = columns.shape[1]
        answer = np.zeros((count, self.value.shape[1]), np.float32)
        ask = _compiled()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
            grown = (self.roots, self.left, self.right, self.feature, self.threshold, self.value)
            list(pool.map(lambda part: ask(columns[:, part], answer[part], *grown), parts))
        if self.softmax.any():
            answer = np.exp(answer - answer.max(1, keepdims=True))
        answer /= answer.sum(1, keepdims=True)
        return answer


def forest(
    rows: NDArray[np.float32], labels: NDArray[np.uint8], *, classes: int, trees: int = 48, seed: int = 0
) -> Trees:
    """A random forest grown on rows (n, features) with labels (n,). Breiman 2001, doi:10.1023/A:1010933404324."""
    grower = _scikit_learn().RandomForestClassifier(
        n_estimators=trees,
        min_samples_leaf=4,
        max_features="sqrt",
        max_samples=0.75,
        n_jobs=os.cpu_count(),
        random_state=seed,
    )
    grown = grower.fit(rows, labels)
    known = grown.classes_.astype(int)

    def spread(values: NDArray[Any]) -> NDArray[np.float32]:
        shares = np.zeros((len(values), classes), np.float32)
        shares[:, known] = values[:, 0, :] / values[:, 0, :].sum(1, keepdims=True)
        return shares

    return _joined([(tree.tree_, spread(tree.tree_.value)) for tree in grown.estimators_], softmax=False)


def boosting(
    rows: NDArray[np.float32], labels: NDArray[np.uint8], *, classes: int, trees: int = 80, seed: int = 0
) -> Trees:
    """Gradient boosting on rows (n, features) with labels (n,). Friedman 2001, doi:10.1214/aos/1013203451."""
    rate = 0.15
    grower = _scikit_learn().GradientBoostingClassifier(
        n_estimators=trees, learning_rate=rate, max_depth=4, subsample=0.5, max_features="sqrt",
        min_samples_leaf=8, init="zero", random_state=seed,
    )  # fmt: skip
    grown = grower.fit(rows, labels)
    known = grown.classes_.astype(int)
    columns = known[1:] if len(known) == 2 else known
    parts = []
    for stage in grown.estimators_:
        for label, tree in zip(columns, stage, strict=True):
            value = np.zeros((tree.tree_.node_count, classes), np.float32)
            value[:, label] = rate * tree.tree_.value[:, 0, 0]
            parts.append((tree.tree_, value))
    never = [label for label in range(classes) if label not in known]
    for _, value in parts[:1]:
        value[:, never] = -100.0  # a class without a training pixel
    return _joined(parts, softmax=True)


def _joined(parts: Sequence[tuple[Any, NDArray[np.float32]]], *, softmax: bool) -> Trees:
    starts = np.cumsum([0, *(tree.node_count for tree, _ in parts)])

    def moved(name: str) -> NDArray[np.int32]:
        sides = [getattr(tree, name) for tree, _ in parts]
        return np.concatenate(
            [np.where(side < 0, -1, side + start) for side, start in zip(sides, starts[:-1], strict=True)]
        ).astype(np.int32)

    return Trees(
        starts[:-1].astype(np.int32),
        moved("children_left"),
        moved("children_right"),
        np.concatenate([tree.feature for tree, _ in parts]).astype(np.int32),
        np.concatenate([tree.threshold for tree, _ in parts]),
        np.concatenate([value for _, value in parts]),
        np.array([softmax]),
    )


def _scikit_learn() -> Any:
    try:
        from sklearn import ensemble
    except ImportError as error:
        raise DataError(
            "a texture forest is grown by scikit-learn, which is missing: pip install 'delineate[texture]'"
        ) from error
    return ensemble


@cache
def _compiled() -> Callable[..., None]:
    try:
        import numba
    except ImportError as error:
        raise DataError(
            "trees are asked by numba, which is missing: pip install 'delineate[texture]'"
        ) from error
    compiled: Callable[..., None] = numba.njit(cache=True, nogil=True)(_ask)
    return compiled


def _ask(
    columns: Any, answer: Any, roots: Any, left: Any, right: Any, feature: Any, threshold: Any, value: Any
) -> None:
    """Adds to `answer` (n, classes) what the leaf of each tree says about each of `columns` (features, n)."""
    for root in roots:
        for row in range(len(answer)):
            node = root
            while left[node] >= 0:
                node = left[node] if columns[feature[node], row] <= threshold[node] else right[node]
            for label in range(answer.shape[1]):
                answer[row, label] += value[node, label]
