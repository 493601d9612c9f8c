"""What is said where new images have another scale than those that a model learnt from."""

import numpy as np
import pytest

from delineate import flow
from delineate.core import Case
from delineate.data import write_image
from delineate.data.picture import Picture
from delineate.learn import Overrides
from pictures import discs

SPACING = (0.5, 0.5)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    cases = [Case(c.name, c.image, labels=c.labels, spacing=SPACING, unit="mm") for c in discs(3, seed=0)]
    folder = tmp_path_factory.mktemp("scale") / "model"
    flow.train(cases, out=folder, steps=1, overrides=Overrides(width=4, levels=2, patch=32))
    return folder


def said_of(model, folder, *spacings, unit="mm", **options):
    folder.mkdir()
    for number, spacing in enumerate(spacings):
        image = discs(1, seed=number)[0].image
        write_image(folder / f"i{number}.nrrd", image, like=Picture(image, spacing, unit, None, ".nrrd", ()))
    told = []
    flow.predict(model, folder, out=folder.parent / "out", tell=told.append, **options)
    return [line for line in told if "scale" in line]


def test_images_of_the_scale_that_was_learnt_are_passed_over(model, tmp_path):
    assert said_of(model, tmp_path / "new", (0.5, 0.5), (0.3, 0.9)) == []


@pytest.mark.parametrize("options", [{}, {"suffix": ".ome.tif"}], ids=["whole", "in parts"])
def test_images_of_another_scale_are_told_the_first_at_once_and_how_many_in_the_end(model, tmp_path, options):
    assert said_of(model, tmp_path / "new", (0.5, 0.5), (0.1, 0.1), (0.5, 2.0), **options) == [
        "i1 has pixels of 0.1 x 0.1 mm where the model learnt from 0.5 x 0.5 mm: if little is found, bring it to that scale and "
        "order of axes",
        "2 images have another scale than the model learnt at, as was said of the first",
    ]


def test_workers_say_it_too(model, tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        told = said_of(model, tmp_path / "new", (0.5, 0.5), (0.1, 0.1), scheduler=cluster.scheduler_address)
    assert [line[:2] for line in told] == ["i1"]


def test_images_that_do_not_tell_their_scale_are_passed_over(model, tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    write_image(folder / "a.tif", np.zeros((40, 40, 1), np.uint8))
    told = []
    flow.predict(model, folder, out=tmp_path / "out", tell=told.append)
    assert not any("scale" in line for line in told)
