"""Activations of uneven channels → even ones that 8 bits hold better, and weights that make up for it: SmoothQuant.

The activations of a product share one scale, so that a channel with outliers takes the bits of all the others. Each
channel of a product's input is divided by a number, and the weights that it meets are multiplied by it
(arXiv 2211.10438). A weight has a scale for each output, and bears a part of the range.
"""

import numpy as np
import numpy.typing as npt

_SHARE = 0.7
"""Of the range of a channel, by its logarithm, that goes over to the weights."""
_LEAST = 1e-5


def smoothing_factors(largest: npt.NDArray[np.float32], of_weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(inputs,) what to divide each channel by; their geometric mean is 1.

    Args:
        largest: (inputs,) absolute value of each channel of the input.
        of_weights: (inputs,) the same of the weights that it meets.
    """
    logarithms = _SHARE * np.log(np.maximum(largest, _LEAST)) - (1 - _SHARE) * np.log(np.maximum(of_weights, _LEAST))
    factors: npt.NDArray[np.float32] = np.exp(logarithms - logarithms.mean()).astype(np.float32)
    return factors
