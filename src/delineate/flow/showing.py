"""What a network sees, and the whole job on a picture that needs no download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate import data as files
from delineate.core import ModelError, new_folder
from delineate.flow.methods import Tell, load
from delineate.flow.outlining import predict
from delineate.flow.scoring import score
from delineate.flow.teaching import train

if TYPE_CHECKING:
    from delineate.learn import Step
    from delineate.score import ScoreTable


def features(model: str | Path | Any, image: str | Path | Any, *, out: str | Path) -> Path:
    """Draw what each block of a trained U-Net answers to one image (a file or (*spatial, channels)) into a PNG.

    Raises ModelError for a model without blocks, or an image that does not fit the model.

    >>> import tempfile
    >>> from delineate.data.samples import coins
    >>> learn_from, held_out = coins()
    >>> method = train(learn_from, steps=1)
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     features(method, held_out[1].image, out=Path(scratch) / "maps.png").name
    'maps.png'
    """
    from delineate.learn.answer import feature_maps
    from delineate.report.features import draw_features

    method = load(model) if isinstance(model, (str, Path)) else model
    learnt = getattr(method, "learnt", None)
    if learnt is None:
        raise ModelError("this model has no feature maps: give the folder of a trained U-Net")
    array = files.read_image(Path(image)).array if isinstance(image, (str, Path)) else image
    return draw_features(array, feature_maps(learnt, array), Path(out))


def demo(
    out: str | Path,
    *,
    minutes: float = 1.25,
    seed: int = 0,
    tell: Tell | None = None,
    watch: Callable[[Step], None] | None = None,
) -> tuple[Path, dict[str, ScoreTable]]:
    """The whole job on coins under uneven light, with labels that we drew: the report, and scores by method.

    Writes data/, model/, outlined/ (U-Net), otsu_model/, otsu/ (a threshold beside it) and report/ into the new
    folder `out`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as scratch:
    ...     report, tables = demo(Path(scratch) / "demo", minutes=0.01)
    ...     report.name, list(tables)
    ('report.html', ['Otsu threshold', 'U-Net'])
    """
    from delineate.data import samples

    folder = new_folder(Path(out))
    samples.write(folder / "data")
    teach, test = folder / "data" / "train", folder / "data" / "test"
    train(teach, out=folder / "otsu_model", method="otsu")
    predict(folder / "otsu_model", test, out=folder / "otsu", objects=True)
    train(teach, out=folder / "model", minutes=minutes, seed=seed, tell=tell, watch=watch)
    predict(folder / "model", test, out=folder / "outlined", objects=True)
    otsu = score(folder / "otsu", test)
    unet = score(
        folder / "outlined", test, out=folder / "report", baselines={"Otsu threshold": otsu}, method="U-Net"
    )
    return folder / "report" / "report.html", {"Otsu threshold": otsu, "U-Net": unet}
