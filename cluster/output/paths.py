"""Names that become file names."""

from __future__ import annotations

ASKED_MASK, REFINED_MASK = "asked_mask", "refined_mask"
"""Extras of what was judged: the mask that is not published; both, of a pair that was rejected."""


REPORT = "report.html"
"""The page that tells of an output, where nobody says where it is to be."""


def image_key(item: str, defect: str, request_id: str) -> str:
    """Where a pair's image is, inside the output."""
    return f"{item}/test/{defect}/{request_id}.png"


def mask_key(item: str, defect: str, request_id: str) -> str:
    """Where a pair's mask is, inside the output."""
    return f"{item}/ground_truth/{defect}/{request_id}_mask.png"


def extra_key(request_id: str, name: str) -> str:
    """Where one of the pictures that are kept besides the pair is, inside the output."""
    return f"extras/{request_id}_{name}.png"
