"""What the network is taught about objects, drawn by hand."""

import numpy as np

from delineate.learn.targets import offsets_to_middle


def test_offsets_lead_every_pixel_to_the_middle_of_its_own_object():
    ids = np.zeros((7, 9), int)
    ids[1:6, 1:4], ids[1:6, 4:7] = 5, 70000
    there = np.indices(ids.shape) + offsets_to_middle(ids)
    np.testing.assert_allclose(there[:, ids == 5].T - [3, 2], 0, atol=1e-6)
    np.testing.assert_allclose(there[:, ids == 70000].T - [3, 5], 0, atol=1e-6)
    assert np.isnan(there[:, ids == 0]).all()
    assert np.isnan(offsets_to_middle(np.zeros((3, 4, 5), int))).all()
