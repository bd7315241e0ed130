"""Softmax weights relative to the best score: a few tokens exactly, or the whole row summed."""

import numpy as np
import numpy.typing as npt

_SMALLEST_EXPONENT = np.float32(-87.0)


def relative_weights(
    scores: npt.NDArray[np.float32], peak: float, temperature: float
) -> npt.NDArray[np.float64]:
    """exp((score - peak) / temperature) of each score; `peak` is the best score of the row."""
    weights: npt.NDArray[np.float64] = np.exp((scores.astype(np.float64) - peak) / temperature)
    return weights


def total_weight(scores: npt.NDArray[np.float32], peak: float, temperature: float) -> float:
    """The sum of the whole row's weights, at least 1 (the peak's own), to about six digits.

    All in float32, numpy's pairwise sum. Exponents are kept above float32's denormal range, which
    is ten times slower to compute; weights that small cannot change a sum of 1 or more.
    """
    with np.errstate(over="ignore"):  # a distance beyond float32 becomes -inf, and is raised below
        exponents = scores - np.float32(peak)
        exponents *= np.float32(1.0 / temperature)
    np.maximum(exponents, _SMALLEST_EXPONENT, out=exponents)
    return float(np.exp(exponents, out=exponents).sum())
