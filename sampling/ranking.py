"""The one order filters, draw and alternatives share: best score first, equal scores by id."""

import numpy as np
import numpy.typing as npt

_NUM_COLUMNS = 1024
_LOWEST = np.finfo(np.float32).min


def rank(scores: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """The ids of the `count` best scores, best first, equal scores by ascending id.

    Ids scored -inf are never among them, so fewer may come back. `scores` is (vocab,), without NaN.
    Only scores that reach a cheaply found floor are sorted, little more than `count` of them.
    """
    floor = _floor(scores, count) if count < scores.size else _LOWEST
    ids = np.flatnonzero(scores >= max(floor, _LOWEST))
    return _sort(scores[ids], ids)[:count]


def _floor(scores: npt.NDArray[np.float32], count: int) -> np.float32:
    """A value that at least `count` scores reach, as high as is cheap to find.

    With the vocabulary laid out in columns, every column's maximum is a different score. So the
    `count`-th best maximum is such a value, and finding it reads the scores once, without sorting.
    """
    num_rows = scores.size // _NUM_COLUMNS
    if num_rows == 0 or count > _NUM_COLUMNS:
        peaks = scores
    else:
        peaks = scores[: num_rows * _NUM_COLUMNS].reshape(num_rows, _NUM_COLUMNS).max(axis=0)
    floor: np.float32 = np.partition(peaks, peaks.size - count)[peaks.size - count]
    return floor


def _sort(scores: npt.NDArray[np.float32], ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`ids` by descending score, then ascending id.

    Score and id are packed into one integer, so that numpy's fast unstable sort meets no ties: the
    bits of a float32 order like integers once those of negative numbers are mirrored.
    """
    bits = (scores + np.float32(0.0)).view(np.int32)  # the sum turns -0.0, equal to 0.0, into 0.0
    ascending = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    keys = (~ascending).astype(np.int64)
    keys <<= 32
    keys |= ids
    keys.sort()
    keys &= 0xFFFFFFFF
    return keys
