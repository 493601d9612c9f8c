"""How somebody draws, object by object, beside a reference: larger or smaller, shifted, smoother, without the small ones.

The border's move is read off areas: of all borders parallel to that of the reference object, the one that encloses as
many pixels as were drawn. A border moved by 2 px is thus 2 px whatever the size of the object (an area ratio, or Dice,
would be larger for small ones), and only the ground that is nearer to this object than to another counts, so that neighbours
do not hide it. Volumes are looked at slice by slice, as they are drawn; a pixel is taken as square.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.data.consensus import best_partners
from delineate.data.depth import depth, parallel_borders
from delineate.score import components

REACH_PX = 10  # how far around an object its drawn border is looked for
WAVE_PX = 20.0  # shorter waves of a border are wiggles, longer ones its shape
_LEAST_CONTOUR_PX = 40.0  # of which wiggles are measured


@dataclass(frozen=True, eq=False)
class Drawn:
    """One person's drawing of the n objects of a reference: of those of which they labelled the ground, half or more.

    sizes: (n,) pixels in the reference. missed: (n,), whether nothing was drawn where they labelled. larger_px: (n,) how far
    the border lies outside that of the reference, negative inside. moved_px: (n, 2) rows and columns by which the middle is off.
    wiggles_px: (n,) root mean square of the waves of the drawn border shorter than WAVE_PX. border_px: (n,) length of the
    reference's border, in pixels. Numbers are nan where an object was missed or, wiggles and moves, cannot be told.
    extra: number of drawn objects that the reference has nothing of.
    """

    sizes: NDArray[np.float64]
    missed: NDArray[np.bool_]
    larger_px: NDArray[np.float64]
    moved_px: NDArray[np.float64]
    wiggles_px: NDArray[np.float64]
    border_px: NDArray[np.float64]
    extra: int


def drawn(
    reference: NDArray[np.integer],
    people: Mapping[str, NDArray[np.integer] | NDArray[np.bool_]],
    *,
    silent: Mapping[str, NDArray[np.bool_]] | None = None,
) -> dict[str, Drawn]:
    """What each person made of the objects of a picture.

    reference: (*spatial) object ids, 2 axes or 3. people: ids of the same shape or, where they told no objects apart, True
    where they drew something: there the ground between two objects of the reference is divided. silent: where each of
    them said nothing, True, of the same shape; nobody is judged there.

    >>> disc = np.hypot(*(np.indices((40, 40)) - 20)) <= 8
    >>> larger = np.hypot(*(np.indices((40, 40)) - 20)) <= 10
    >>> seen = drawn(disc.astype(int), {"anna": larger, "ben": np.zeros_like(disc)})
    >>> bool(abs(seen["anna"].larger_px[0] - 2) < 0.15), bool(seen["ben"].missed[0])
    (True, True)
    """
    silent = silent or {}
    if reference.ndim == 3:
        slices = [
            drawn(
                plane,
                {name: own[z] for name, own in people.items()},
                silent={name: own[z] for name, own in silent.items()},
            )
            for z, plane in enumerate(reference)
        ]
        return {name: joined([one[name] for one in slices]) for name in people}
    from scipy import ndimage

    territory = _territory(reference)
    objects = {name: _told_apart(own, territory) for name, own in people.items()}
    partner = {
        name: dict(zip(*(side.tolist() for side in best_partners(reference, own)), strict=True))
        for name, own in objects.items()
    }
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in people}
    for index, box in enumerate(ndimage.find_objects(reference), start=1):
        if box is None:
            continue
        wide = tuple(
            slice(max(side.start - REACH_PX, 0), min(side.stop + REACH_PX, n))
            for side, n in zip(box, reference.shape, strict=True)
        )
        ours = reference[wide] == index
        own_ground, deep = territory[wide] == index, depth(ours)
        whole = parallel_borders(deep[own_ground], pixels=int(ours.sum()), reach_px=REACH_PX)
        size, length = float(ours.sum()), float((ours & ~ndimage.binary_erosion(ours, border_value=1)).sum())
        cut = _touches_edge(box, reference.shape)
        for name, own in objects.items():
            theirs, seen, ground, enclosed, partial = own[wide], size, own_ground, whole, cut
            if name in silent and silent[name][wide].any():
                ground = own_ground & ~silent[name][wide]
                seen, partial = float((ours & ground).sum()), True
                if seen < size / 2:
                    continue
                enclosed = parallel_borders(deep[ground], pixels=int(seen), reach_px=REACH_PX)
            match = partner[name].get(index)
            if match is None:
                missed = float(((theirs > 0) & ours).sum() < seen / 2)
                rows[name].append((size, missed, *(np.nan,) * 4, length))
                continue
            shape = theirs == match
            larger = float(np.interp((shape & ground).sum(), *enclosed))
            moved = (np.nan, np.nan) if partial else _middle(shape) - _middle(ours)
            rows[name].append((size, 0.0, larger, *moved, np.nan if partial else wiggles_px(shape), length))
    return {name: _of_rows(rows[name], _extra(objects[name], reference, silent.get(name))) for name in people}


def wiggles_px(shape: NDArray[np.bool_]) -> float:
    """Root mean square, in pixels, of the waves of a border that are shorter than WAVE_PX; nan for short borders.

    The border is traced between pixels and sampled evenly; its Fourier series tells waves by their length (Zahn & Roskies
    1972, doi:10.1109/TC.1972.5008949). A smooth shape on a pixel grid has about 0.2 px: people are compared, not judged.

    >>> disc = np.hypot(*(np.indices((60, 60)) - 30)) <= 20
    >>> ragged = disc ^ (np.hypot(*(np.indices((60, 60)) - 30)) <= 21) & (np.indices((60, 60))[0] // 3 % 2 == 0)
    >>> 0 < wiggles_px(disc) < 0.3 < wiggles_px(ragged)
    True
    """
    from skimage import measure

    find_contours: Any = measure.find_contours
    traced = find_contours(np.pad(shape, 1).astype(np.float32), 0.5)
    if not traced:
        return float("nan")
    line = max(traced, key=len)
    along = np.append(0, np.hypot(*np.diff(line, axis=0).T).cumsum())
    if along[-1] < _LEAST_CONTOUR_PX:
        return float("nan")
    at = np.arange(0, along[-1], 0.5)
    points = np.interp(at, along, line[:, 0]) + 1j * np.interp(at, along, line[:, 1])
    series = np.fft.fft(points) / len(points)
    waves = np.abs(np.fft.fftfreq(len(points), d=0.5))
    return float(np.sqrt((np.abs(series[waves > 1 / WAVE_PX]) ** 2).sum()))


def joined(parts: list[Drawn]) -> Drawn:
    """The objects of several pictures in one."""
    return Drawn(
        np.concatenate([one.sizes for one in parts]),
        np.concatenate([one.missed for one in parts]),
        np.concatenate([one.larger_px for one in parts]),
        np.concatenate([one.moved_px for one in parts]),
        np.concatenate([one.wiggles_px for one in parts]),
        np.concatenate([one.border_px for one in parts]),
        sum(one.extra for one in parts),
    )


def _territory(reference: NDArray[np.integer]) -> NDArray[np.integer]:
    """For every pixel the id of the object that is nearest, 0 where there is none at all."""
    from scipy.ndimage import distance_transform_edt

    if not reference.any():
        return reference
    nearest = distance_transform_edt(reference == 0, return_distances=False, return_indices=True)
    found: NDArray[np.integer] = reference[tuple(nearest)]
    return found


def _told_apart(
    own: NDArray[np.integer] | NDArray[np.bool_], territory: NDArray[np.integer]
) -> NDArray[np.integer]:
    """Object ids; of a mask that has none, its connected pieces, divided where they reach into two territories."""
    if own.dtype != np.bool_:
        return own.astype(np.int64)
    mask = own.astype(bool)
    pieces = components(mask).astype(np.int64)
    both = pieces * (int(territory.max(initial=0)) + 1) + territory
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = np.unique(both[mask], return_inverse=True)[1] + 1
    return ids


def _middle(shape: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(np.argwhere(shape).mean(0), np.float64)


def _touches_edge(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return any(side.start == 0 or side.stop == n for side, n in zip(box, shape, strict=True))


def _extra(own: NDArray[np.integer], reference: NDArray[np.integer], silent: NDArray[np.bool_] | None) -> int:
    """Number of drawn objects without a pixel of the reference; what is cut off by silence may have one beyond."""
    from scipy.ndimage import binary_dilation

    told = own[reference > 0] if silent is None else own[(reference > 0) | binary_dilation(silent)]
    return len(np.setdiff1d(np.unique(own[own > 0]), told))


def _of_rows(rows: list[tuple[float, ...]], extra: int) -> Drawn:
    table = np.array(rows, np.float64).reshape(-1, 7)
    return Drawn(
        table[:, 0], table[:, 1] > 0, table[:, 2], table[:, 3:5], table[:, 5], table[:, 6], extra=extra
    )
