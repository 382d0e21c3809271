"""clDice: agreement of thin structures by their centre lines."""

from __future__ import annotations

import numpy as np
from skimage.morphology import skeletonize


def cl_dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """clDice of two masks, bool (H, W), 0 to 1 (Shit et al., CVPR 2021).

    The harmonic mean of the share of the prediction's centre line that lies in the truth and the
    share of the truth's that lies in the prediction. 1 if both are empty, 0 if one is.
    """
    either = prediction | truth
    if not either.any():
        return 1.0
    rows, columns = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    prediction, truth = prediction[box], truth[box]
    exact = _share(skeletonize(prediction), truth)
    complete = _share(skeletonize(truth), prediction)
    return 2 * exact * complete / (exact + complete) if exact + complete else 0.0


def _share(line: np.ndarray, mask: np.ndarray) -> float:
    length = int(np.count_nonzero(line))
    return float(np.count_nonzero(line & mask) / length) if length else 0.0
