"""Masks and trimaps: their decoder under every rule, and every verb's way to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adabldm.core import images, masks
from adabldm.core.faults import InputFault
from adabldm.core.images import ImageFault
from adabldm.core.mask_rule import KINDS, MaskRule
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import DatasetFault, read_defect_mask, read_mask
from adabldm.core.random_streams import RowStreams
from adabldm.core.trimap import TrimapFault
from adabldm.planning.object_pictures import ObjectPictures, PairFault
from adabldm.planning.sources import DefectMasks
from cluster.generate import decoding
from cluster.manifest.picture_checks import PictureChecks, PictureFault, PictureSource
from tests.fuzz.case import Answer, Case
from tests.fuzz.doors.pictures import NoFiles, inspected, work_of
from tests.fuzz.drawing import draw_picture
from tests.fuzz.mask_drawing import CLEAR, NEVER, SURE, DrawnMask, draw_mask
from tests.fuzz.spoiling import spoil

SPOILED, PICTURES, TRIMAPS, THROUGH_VERBS = 0.25, 0.15, 0.08, 0.35
LEAST_OVERLAP, LEAST_AREA = 0.6, 60
RULES = tuple(MaskRule(kind, (1, 255) if kind == "value" else ()) for kind in KINDS)
OPPOSITES = (("bright", "dark"), ("alpha", "transparent"))
TRAINED_SIDE = 32


def run(case: Case) -> None:
    if case.rng.random() < TRIMAPS:
        _trimap(case)
        return
    if case.rng.random() < PICTURES:
        data, drawn = draw_picture(case).data, None
    else:
        drawn = draw_mask(case)
        data = drawn.data
    if case.rng.random() < SPOILED:
        data, drawn = spoil(case.rng, data), None
    case.keep("mask.png", data)
    size = case.call("read_size", (ImageFault,), lambda: images.read_size(data)).value
    answers = {rule.kind: _decoded(case, data, rule, size) for rule in _some(case)}
    _halves(case, answers)
    if drawn is not None:
        _means(case, drawn, answers["auto"])
    if case.rng.random() < THROUGH_VERBS:
        _through_verbs(case, data, case.rng.choice((RULES[0], *RULES)))


def _some(case: Case) -> list[MaskRule]:
    """The rule that finds out, one without an opposite, and two that are each other's."""
    alone, pair = case.rng.choice(("nonzero", "value")), case.rng.choice(OPPOSITES)
    return [rule for rule in RULES if rule.kind in ("auto", alone, *pair)]


def _decoded(
    case: Case, data: bytes, rule: MaskRule, size: tuple[int, int] | None
) -> Answer[masks.Mask]:
    whole = case.call("decode_mask", (ImageFault,), lambda: masks.decode_mask(data, rule))
    defect = case.call("decode_defect", (ImageFault,), lambda: masks.decode_defect(data, rule))
    for mask in (whole.value, defect.value):
        if mask is None:
            continue
        levels = set(np.unique(mask.pixels).tolist())
        case.require("decode_mask", levels <= {0, 255}, "other values than 0 and 255", levels)
        kind = mask.pixels.dtype, mask.pixels.ndim
        case.require("decode_mask", kind == (np.uint8, 2), "not uint8 (H, W)", kind)
        case.require("decode_mask", mask.pixels.shape == size, "not of the upright size", size)
    if defect.value is not None:
        marks = int(np.count_nonzero(defect.value.pixels))
        some = 0 < marks < defect.value.pixels.size
        case.require("decode_defect", some, "takes a mask of nothing or all", marks)
        same = whole.value is not None and np.array_equal(whole.value.pixels, defect.value.pixels)
        case.require("decode_defect", same, "another mask than decode_mask")
    return defect


def _halves(case: Case, answers: dict[str, Answer[masks.Mask]]) -> None:
    """``bright`` and ``dark``, ``alpha`` and ``transparent`` are the two sides of one mask."""
    for one, other in OPPOSITES:
        if one not in answers:
            continue
        a, b = answers[one], answers[other]
        case.require("decode_defect", a.accepted == b.accepted, f"takes {one} or {other} only")
        if a.value is not None and b.value is not None:
            parted = (a.value.pixels ^ b.value.pixels).all()
            case.require("decode_defect", parted, f"{one} and {other} are not two sides")


def _means(case: Case, drawn: DrawnMask, found: Answer[masks.Mask]) -> None:
    truth = drawn.truth
    share = truth.mean()
    if drawn.way in SURE and 0 < share < masks.MOST_SHARE:
        case.require("decode_defect", found.accepted, f"refuses a mask: {drawn.way}", found.refusal)
    if drawn.way in NEVER:
        case.require("decode_defect", not found.accepted, f"takes a mask: {drawn.way}")
    elif drawn.way in CLEAR and found.value is not None and truth.sum() >= LEAST_AREA:
        marked = found.value.pixels > 0
        if marked.shape != truth.shape:
            case.require("decode_defect", False, f"not upright: {drawn.way}")
            return
        overlap = (marked & truth).sum() / (marked | truth).sum()
        least = LEAST_OVERLAP if drawn.way in ("jpeg", "enlarged") else 0.999
        right = overlap >= least or drawn.way == "enlarged"
        case.require("decode_defect", right, f"not what is meant: {drawn.way}", overlap)


def _through_verbs(case: Case, data: bytes, rule: MaskRule) -> None:
    """The mask's verdict where it is prepared, planned with, learned from and generated with."""
    base = case.call("decode_defect", (ImageFault,), lambda: masks.decode_defect(data, rule))
    size = base.value.pixels.shape if base.value is not None else (32, 32)
    pixels = case.arrays.integers(40, 200, size, np.uint8)
    image, mask = case.folder / "image.png", case.folder / "mask.png"
    image.write_bytes(images.encode_png(pixels))
    mask.write_bytes(data)
    item = DefectImage(defect="d", image=str(image), mask=str(mask), mask_rule=rule)
    folder = ObjectFolder(name="o", good=(str(image),), test_good=(), defects=(item,))
    doors: dict[str, tuple[tuple[type[Exception], ...], Callable[[], object]]] = {
        "read_defect_mask": ((DatasetFault,), lambda: read_defect_mask(str(mask), rule)),
        "prepare": (
            (InputFault,),
            lambda: inspected(
                case.folder, "image.png", defect="d", mask="mask.png", mask_rule=rule
            ),
        ),
        "plan": (
            (InputFault,),
            lambda: DefectMasks(folder, {"real": 1.0}, RowStreams(0), NoFiles()),
        ),
        "train": (
            (DatasetFault, PairFault),
            lambda: ObjectPictures(folder, TRAINED_SIDE).defect(item),
        ),
    }
    if rule.kind == "auto":
        source = PictureSource(data, None)
        doors["manifest"] = ((PictureFault,), lambda: PictureChecks().mask(source))
    for door, (faults, action) in doors.items():
        answer = case.call(door, faults, action)
        small = door == "prepare" and "each side must have" in (answer.refusal or "")
        agrees = answer.accepted == base.accepted or small
        case.require(door, agrees, "another verdict than the decoder's", (answer.refusal, base))
    _object_masks(case, data, str(mask))


def _object_masks(case: Case, data: bytes, uri: str) -> None:
    """An object's mask in a manifest, in its worker, and in a prepared folder."""
    source = PictureSource(data, None)
    checked = case.call("foreground", (PictureFault,), lambda: PictureChecks().foreground(source))
    drawn = case.call(
        "worker", (PictureFault,), lambda: decoding.drawn("m", {"bytes": data, "path": None})
    )
    read = case.call("read_mask", (DatasetFault,), lambda: read_mask(uri))
    same = checked.accepted == drawn.accepted == read.accepted
    case.require("foreground", same, "three verdicts on an object's mask", (checked, drawn, read))


def _trimap(case: Case) -> None:
    """A trimap, or what is none: the manifest's check and the worker agree."""
    drawn = draw_picture(case)
    if case.rng.random() < 0.6:
        levels = np.uint8([0, 127, 255, case.rng.choice((0, 127, 255, 128, 1))])
        pixels = levels[case.arrays.integers(0, 4, (17, 33))]
        data = images.encode_png(pixels)
    else:
        data = drawn.data
    if case.rng.random() < SPOILED:
        data = spoil(case.rng, data)
    case.keep("trimap.png", data)
    source = PictureSource(data, None)
    checked = case.call("trimap", (PictureFault,), lambda: PictureChecks().trimap(source))
    size = checked.value.size if checked.value else (17, 33)
    good = images.encode_png(np.full(size, 90, np.uint8))
    faults = (PictureFault, TrimapFault)
    worker = case.call("worker", faults, lambda: decoding.decode(work_of(good, data)))
    case.require("worker", worker.accepted == checked.accepted, "another verdict", worker.refusal)
