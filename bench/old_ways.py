"""Texture for every pixel, watershed and scribbles: the figures of the old ways.

    python bench/old_ways.py texture                      # beside scikit-image, mahotas and ITK
    python bench/old_ways.py nuclei nuclei/train nuclei/val

`texture` counts co-occurrence in a window of 21 x 21 around every pixel of 1024 x 1024 (32 levels, distance 1, 4 angles;
contrast, dissimilarity, homogeneity, energy, correlation, entropy; each angle apart). scikit-image is a loop over
`graycomatrix` and `graycoprops`, mahotas one over `haralick`, both timed on 64 x 64 pixels and extrapolated; ITK is timed on
256 x 256 pixels, and extrapolated likewise:

    python -m venv --system-site-packages peers && peers/bin/pip install itk-texturefeatures mahotas

ITK gives 8 properties, of angles together; it has no dissimilarity. A package that is missing is named and left out.
`nuclei` gives AP@0.5 of Otsu with connected components and with watershed, and what a texture forest learns from
simulated strokes on 1 % of the pixels.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate import data
from delineate.classical import Otsu, TextureForest, Watershed
from delineate.classical.cooccurrence import ANGLES, texture_maps
from delineate.data.scribbles import scribbled
from delineate.score import ScoreTable, components, score_case

SIDE, LEVELS, WINDOW = 1024, 32, 21
PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation", "entropy")
Picture = NDArray[np.uint8]


def main() -> None:
    """Parse, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("texture").add_argument("--rounds", type=int, default=5)
    of_nuclei = parts.add_parser("nuclei")
    of_nuclei.add_argument("train", type=Path)
    of_nuclei.add_argument("val", type=Path)
    wanted = parser.parse_args()
    if wanted.part == "texture":
        texture(wanted.rounds)
    else:
        nuclei(wanted.train, wanted.val)


def picture(side: int) -> Picture:
    """Noise of several scales, in LEVELS levels."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    grey = sum(s * gaussian_filter(rng.standard_normal((side, side)), s) for s in (0.7, 2, 6))
    ranks = np.argsort(np.argsort(grey.ravel()))
    return (ranks * LEVELS // grey.size).reshape(side, side).astype(np.uint8)


def ours(image: Picture) -> None:
    """Delineate."""
    texture_maps(image, levels=LEVELS, window_px=WINDOW, properties=PROPERTIES)


def by_scikit_image(image: Picture) -> None:
    """A loop over graycomatrix and graycoprops, as everybody writes it."""
    from skimage.feature import graycomatrix, graycoprops

    padded = np.pad(image, WINDOW // 2, mode="symmetric")
    for row, column in np.ndindex(image.shape):
        window = padded[row : row + WINDOW, column : column + WINDOW]
        matrix = graycomatrix(window, [1], ANGLES, LEVELS, symmetric=True, normed=True)
        for name in PROPERTIES:
            graycoprops(matrix, name)


def by_mahotas(image: Picture) -> None:
    """A loop over mahotas' haralick, which counts in C: thirteen features, each angle apart."""
    import mahotas

    padded = np.pad(image, WINDOW // 2, mode="symmetric")
    for row, column in np.ndindex(image.shape):
        mahotas.features.haralick(padded[row : row + WINDOW, column : column + WINDOW])


def by_itk(image: Picture) -> None:
    """ITK's co-occurrence filter, its four angles in one matrix; it takes the threads that it likes."""
    import itk

    itk.coocurrence_texture_features_image_filter(
        itk.image_from_array(image.astype(np.float32)),
        number_of_bins_per_axis=LEVELS,
        histogram_minimum=0.0,
        histogram_maximum=float(LEVELS),
        neighborhood_radius=[WINDOW // 2] * 2,
    )


def texture(rounds: int) -> None:
    """Seconds for 1024 x 1024, in turns."""
    contenders: dict[str, tuple[Callable[[Picture], None], int]] = {
        "Delineate": (ours, SIDE),
        "scikit-image, a loop": (by_scikit_image, 64),
        "mahotas, a loop": (by_mahotas, 64),
        "ITK": (by_itk, 256),
    }
    seconds: dict[str, list[float]] = {}
    for name, (run, _) in list(contenders.items()):
        try:
            run(picture(48))  # what is compiled or loaded at the first call does not count
            seconds[name] = []
        except (ImportError, AttributeError) as error:
            print(f"{name} is left out: {error}")
            del contenders[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours(picture(SIDE))
    print(
        f"more memory at most: {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.0f} MB"
    )
    for turn in range(rounds):
        for name, (run, side) in contenders.items():
            if turn and name != "Delineate":
                continue
            image = picture(side)
            begun = time.perf_counter()
            run(image)
            seconds[name].append((time.perf_counter() - begun) * (SIDE / side) ** 2)
    own = statistics.median(seconds["Delineate"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:22s} {median:9.2f} s  {median / own:8.1f} times as long", flush=True)


def nuclei(train: Path, val: Path) -> None:
    """AP@0.5 with and without watershed; Dice from strokes."""
    learn_from, judged = data.load(train), data.load(val)
    cases = list(learn_from.cases)
    otsu, watershed = Otsu(learn_from.classes).fit(cases), Watershed(learn_from.classes).fit(cases)
    name = learn_from.classes.names[1]
    for title, method in (("Otsu + connected components", otsu), ("Otsu + watershed", watershed)):
        scored = []
        for case in judged.cases:
            labels = method.predict(case.image).argmax(0).astype(np.uint8)
            ids = watershed.outline(case.image)[1] if method is watershed else components(labels > 0)
            scored.append(
                score_case(case.labels, labels, classes=learn_from.classes, name=case.name,
                           truth_objects=case.objects, predicted_objects=ids)
            )  # fmt: skip
        table = ScoreTable(learn_from.classes, tuple(scored))
        print(f"{title}: AP@0.5 {table.objects.ap50:.3f}, mean Dice {table.summary(name, 'dice').mean:.3f}")
    strokes = [scribbled(case, share=0.01, seed=0) for case in cases]
    said = sum((case.labels != 255).sum() for case in strokes) / sum(case.labels.size for case in strokes)
    begun, worked = time.perf_counter(), time.process_time()
    forest = TextureForest(learn_from.classes).fit(strokes)
    taken, worked = time.perf_counter() - begun, time.process_time() - worked
    scored = [
        score_case(case.labels, forest.predict(case.image).argmax(0).astype(np.uint8),
                   classes=learn_from.classes, name=case.name)
        for case in judged.cases
    ]  # fmt: skip
    table = ScoreTable(learn_from.classes, tuple(scored))
    print(
        f"texture forest from strokes on {said:.2%} of the pixels: taught in {taken:.1f} s ({worked:.1f} s of "
        f"processor), mean Dice {table.summary(name, 'dice').mean:.4f}, pooled {table.pooled_dice(name):.3f}"
    )


if __name__ == "__main__":
    main()
