from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from delineate.core import ClassTable
from delineate.score import Masks, ScoreTable, score_case

CELLS = ClassTable(("background", "cell"))


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> ScoreTable:
    """Eleven images, most with a square cell and a satellite of one pixel: six right, then one of each failure."""
    truth = np.zeros((40, 48), np.uint8)
    truth[8:24, 8:24] = 1
    ids = truth.astype(np.int32)
    truth[36, 46], ids[36, 46] = 1, 2
    nothing = np.zeros_like(truth)
    pairs = {f"right <{i}>": (truth, truth.copy()) for i in range(6)}
    pairs["shifted"] = (truth, np.roll(truth, 3, axis=0))
    pairs["satellite"] = (truth, np.where(ids == 1, 1, 0).astype(np.uint8))
    pairs["missed"], pairs["spurious"], pairs["nothing"] = (
        (truth, nothing),
        (nothing, truth),
        (nothing, nothing),
    )
    picture = tmp_path_factory.mktemp("images") / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, truth.shape, np.uint8)).save(picture)
    cases = []
    for name, (there, guess) in pairs.items():
        masks = Masks(there, guess, ids * there, ids * guess, picture)
        cases.append(
            score_case(
                there,
                guess,
                classes=CELLS,
                name=name,
                spacing=(0.5, 0.5),
                unit="µm",
                truth_objects=masks.truth_objects,
                predicted_objects=masks.predicted_objects,
                reread=lambda masks=masks: masks,
            )
        )
    return ScoreTable(
        CELLS, tuple(cases), unscored=(("lost", "it has no prediction"),), notes=("said on the way",)
    )
