"""A product's object as it would be without its defect.

A defect changes the outline that is seen: a chip is missing, a bent tip stands out. So objects of
good pictures are laid over what is seen beside the defect, and below the defect the one counts
that agrees best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from adabldm.foreground.poses import Template

AGREES = 0.9
"""Agreement of poses from which two objects count as alike."""


def intact_object(
    goods: Sequence[Template], seen: np.ndarray, marked: np.ndarray
) -> np.ndarray | None:
    """The object, bool (H, W), where ``seen`` (H, W) is what is seen of it and ``marked`` (H, W)
    its defect; None if none of the good ones agrees with what is seen beside the defect."""
    poses = [(one.pose(seen, marked), one) for one in goods]
    pose, one = max(poses, key=lambda found: found[0].agreement)
    if pose.agreement < AGREES:
        return None
    laid = Image.fromarray(pose.lay(one.canvas))
    large = laid.resize((seen.shape[1], seen.shape[0]), Image.Resampling.BILINEAR)
    return np.where(marked, np.asarray(large) > 0.5, seen)
