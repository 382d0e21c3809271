"""A data set with one fault of every kind, in MVTec AD layout."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from adabldm.core import images
from tests.support.trees import SIDE, lay_out, mask, mvtec, named, picture


def png(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def huge_header() -> bytes:
    """A PNG that says it has 20000 x 20000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def frames() -> bytes:
    still = [Image.new("L", (SIDE, SIDE), shade) for shade in (10, 200)]
    return png(still[0], "TIFF", save_all=True, append_images=still[1:])


def classes() -> bytes:
    """A mask of two classes, numbered."""
    numbers = np.zeros((SIDE, SIDE), np.uint8)
    numbers[4:9, 4:9], numbers[12:20, 12:20] = 1, 2
    return images.encode_png(numbers)


def inverted() -> bytes:
    return images.encode_png(255 - images.decode(mask(), "L"))


DIM16 = png(Image.fromarray(np.full((SIDE, SIDE), 4_000, np.uint16)))
CUTOUT = png(Image.fromarray(np.dstack([np.eye(SIDE, dtype=np.uint8) * 255] * 2)))
EMPTY = images.encode_png(np.zeros((SIDE, SIDE), np.uint8))
FULL = images.encode_png(np.full((SIDE, SIDE), 255, np.uint8))

CRACK = "test/crack/"
TRUTH = "ground_truth/crack/"
FAULTS: dict[tuple[str, str], dict[str, bytes]] = {
    ("mask-missing", f"{CRACK}a.png"): named(f"{CRACK}a.png"),
    ("mask-alone", f"{TRUTH}b_mask.png"): named(f"{TRUTH}b_mask.png"),
    ("mask-size", f"{TRUTH}c_mask.png"): named(f"{CRACK}c.png")
    | {f"{TRUTH}c_mask.png": mask(SIDE, SIDE + 1)},
    ("mask-empty", f"{TRUTH}d_mask.png"): named(f"{CRACK}d.png") | {f"{TRUTH}d_mask.png": EMPTY},
    ("mask-full", f"{TRUTH}e_mask.png"): named(f"{CRACK}e.png") | {f"{TRUTH}e_mask.png": FULL},
    ("mask-classes", f"{TRUTH}f_mask.png"): named(f"{CRACK}f.png")
    | {f"{TRUTH}f_mask.png": classes()},
    ("mask-polarity", f"{TRUTH}q_mask.png"): named(f"{CRACK}q.png")
    | {f"{TRUTH}q_mask.png": inverted()},
    ("transparent", "train/good/r.png"): {"train/good/r.png": CUTOUT},
    ("unreadable", "train/good/g.png"): {"train/good/g.png": b"<html>404</html>"},
    ("broken", "train/good/h.png"): {"train/good/h.png": picture("h")[:-200]},
    ("empty-file", "train/good/i.png"): {"train/good/i.png": b""},
    ("too-large", "train/good/j.png"): {"train/good/j.png": huge_header()},
    ("too-small", "train/good/k.png"): {"train/good/k.png": picture("k", 9, 40)},
    ("several-frames", "train/good/l.tif"): {"train/good/l.tif": frames()},
    ("pixel-kind", "train/good/m.png"): {"train/good/m.png": DIM16},
    ("same-picture", "train/good/n.png"): {"train/good/n.png": picture(f"{CRACK}000.png")},
    ("two-files", f"{CRACK}000.webp"): {f"{CRACK}000.webp": picture("o")},
    ("two-files", f"{TRUTH}000_mask.tif"): {f"{TRUTH}000_mask.tif": mask()},
    ("unread-type", "train/good/p.gif"): {"train/good/p.gif": b"GIF89a"},
    ("mask-alone", "ground_truth/lost"): named("ground_truth/lost/1_mask.png"),
    ("name", "nut: bent?"): named("test/bent?/1.png", "ground_truth/bent?/1_mask.png"),
    ("nothing-left", "nut: bent?"): {},
    ("empty-folder", "test/hole"): {"test/hole/notes.txt": b"later"},
    ("unreadable", "ground_truth/tear/1_mask.png"): named("test/tear/1.png")
    | {"ground_truth/tear/1_mask.png": b"no"},
    ("nothing-left", "nut: tear"): {},
}
"""Kind and path of each fault, and the files that make it."""


def lay_out_broken(root: str) -> str:
    """The object ``nut`` with every fault of :data:`FAULTS`, and sound pictures around them."""
    lay_out(root, mvtec())
    for files in FAULTS.values():
        lay_out(root, files)
    return root
