"""Good pictures: the decoder, and every verb's way to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adabldm.core import images, trimap
from adabldm.core.faults import InputFault
from adabldm.core.images import ImageFault
from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import DatasetFault, read_picture
from adabldm.data import inspection
from adabldm.data.layouts import Picture, Tree
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.sources import GoodPictures
from cluster.generate import decoding
from cluster.generate.protocol import Work
from cluster.manifest.picture_checks import PictureChecks, PictureFault, PictureSource
from cluster.storage.hashing import sha256
from tests.fuzz.case import Answer, Case
from tests.fuzz.drawing import SUFFIX, Drawn, draw_picture
from tests.fuzz.spoiling import spoil

SPOILED, THROUGH_VERBS = 0.45, 0.35
TRAINED_SIDE = 32


def run(case: Case) -> None:
    drawn = draw_picture(case)
    whole = case.rng.random() >= SPOILED
    data = drawn.data if whole else spoil(case.rng, drawn.data)
    case.keep(f"picture{SUFFIX.get(drawn.format, '.png')}", data)
    decoded = through_decoder(case, data, whole=whole)
    if whole and drawn.shown is not None:
        _is_shown(case, decoded, drawn)
    if case.rng.random() < THROUGH_VERBS:
        through_verbs(case, data, SUFFIX.get(drawn.format, ".png"), decoded, whole=whole)


def through_decoder(case: Case, data: bytes, *, whole: bool) -> Answer[np.ndarray]:
    decoded = case.call("decode", (ImageFault,), lambda: images.decode(data))
    grey = case.call("decode grey", (ImageFault,), lambda: images.decode(data, "L"))
    header = case.call("read_header", (ImageFault,), lambda: images.read_header(data))
    size = case.call("checked_size", (ImageFault,), lambda: images.checked_size(data))
    case.require("decode", decoded.refusal == grey.refusal, "grey and colour disagree", grey)
    if decoded.value is not None:
        pixels = decoded.value
        case.require("decode", pixels.dtype == np.uint8 and pixels.ndim == 3, "not uint8 (H, W, 3)")
        found = header.value and header.value.size
        case.require("read_header", found == pixels.shape[:2], "another size than decoded", found)
        case.require("checked_size", size.value == pixels.shape[:2], "refuses what decodes", size)
    elif whole and decoded.refused:
        case.require("checked_size", not size.accepted, "takes what does not decode", decoded)
    return decoded


def _is_shown(case: Case, decoded: Answer[np.ndarray], drawn: Drawn) -> None:
    case.require("decode", decoded.accepted, f"refuses a plain {drawn.mode} picture", decoded)
    if decoded.value is not None:
        same = np.array_equal(decoded.value, drawn.shown)
        case.require("decode", same, f"other pixels of a {drawn.mode} picture than were stored")


class NoFiles:
    """Takes a plan's files and forgets them."""

    def put(self, data: bytes, suffix: str) -> str:
        del data
        return f"nowhere{suffix}"


def through_verbs(
    case: Case, data: bytes, suffix: str, decoded: Answer[np.ndarray], *, whole: bool
) -> None:
    """The file's verdict where it is prepared, planned, learned from and generated on."""
    (case.folder / f"good{suffix}").write_bytes(data)
    uri = str(case.folder / f"good{suffix}")
    folder = ObjectFolder(name="o", good=(uri,), test_good=(), defects=(), surface="texture")
    doors: dict[str, tuple[type[Exception], Callable[[], object]]] = {
        "read_picture": (DatasetFault, lambda: read_picture(uri)),
        "prepare": (InputFault, lambda: inspected(case.folder, f"good{suffix}")),
        "plan": (InputFault, lambda: _planned(folder)),
        "train": (DatasetFault, lambda: ObjectPictures(folder, TRAINED_SIDE).good(uri)),
        "worker": (PictureFault, lambda: _worker(data, decoded.value)),
    }
    for door, (fault, action) in doors.items():
        answer = case.call(door, (fault,), action)
        small = door == "prepare" and "each side must have" in (answer.refusal or "")
        agrees = answer.accepted == decoded.accepted or small
        case.require(door, agrees, "another verdict than the decoder's", (answer.refusal, decoded))
    source = PictureSource(data, None)
    checked = case.call("manifest", (PictureFault,), lambda: PictureChecks().image(source))
    if whole or decoded.accepted:
        agrees = checked.accepted == decoded.accepted
        case.require("manifest", agrees, "another verdict than the decoder's", checked.refusal)


def inspected(folder: object, path: str, **mask: object) -> Picture:
    """The picture, if `prepare` takes it. Raises :class:`InputFault` with what it finds."""
    picture = Picture(object="o", path=path, part="either", **mask)  # type: ignore[arg-type]
    found = inspection.inspect(Tree(str(folder)), [picture])
    if not found.pictures:
        raise InputFault(*(str(fault) for fault in found.faults))
    return found.pictures[0].picture


def _planned(folder: ObjectFolder) -> GoodPictures:
    goods = GoodPictures(folder, NoFiles())
    goods.load([0])
    return goods


def work_of(data: bytes, marks: bytes) -> Work:
    """A worker's request on inline pictures."""
    return Work(
        request_id="r", object="o", defect="d", prompt="", negative_prompt="", seed=0, model="m",
        model_fingerprint="m", branch=None, branch_fingerprint=None, source_sha256=sha256(data),
        image={"bytes": data, "path": None}, trimap={"bytes": marks, "path": None}, placement=None,
    )  # fmt: skip


def _worker(data: bytes, pixels: np.ndarray | None) -> decoding.Decoded:
    shape = (1, 1) if pixels is None else pixels.shape[:2]
    marks = np.full(shape, trimap.OBJECT, np.uint8)
    marks[-1, -1] = trimap.DEFECT
    return decoding.decode(work_of(data, images.encode_png(marks)))
