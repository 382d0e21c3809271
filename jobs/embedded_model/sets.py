"""What the embedded model learns from: sets of real pictures, and drawn metal, each an object with
its few-shot split."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from adabldm.core import images
from adabldm.core.objects import ObjectFolder, Surface
from adabldm.data import drawn_metal
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from jobs.embedded_model.packed import LIST, read_packed

METAL = "brushed_metal"
SETS: dict[str, tuple[Surface, int]] = {
    "mt_dev": ("texture", 10),
    "cookie": ("object", 10),
    "screw": ("object", 10),
    "hazelnut_mini": ("object", 1),
    "mvtec_leather": ("texture", 3),
    "mvtec_wood": ("texture", 3),
    "mvtec_carpet": ("texture", 2),
    "mvtec_grid": ("texture", 3),
    "mvtec_zipper": ("object", 3),
    "bsd_ball_screw": ("texture", 10),
    "cfd_asphalt": ("texture", 10),
    "sd_strip_steel": ("texture", 10),
    "mvtec_objects_few": ("object", 3),
}
"""Folders of real pictures: how they are looked at, and how many defects a type are learned from;
of the last none is kept for evaluation."""

NO_SURFACE_DEFECTS = {
    "flip",
    "misplaced",
    "missing_cable",
    "missing_wire",
    "cable_swap",
    "pill_type",
}
"""Types that are a whole part's; a mask says nothing of what is in it."""

NOUNS = {
    "mt_dev": ("magnetic tile", "mt dev", "tile"),
    "cookie": ("cookie", "biscuit"),
    "hazelnut_mini": ("hazelnut", "nut"),
    "bsd_ball_screw": ("ball screw", "spindle", "metal surface"),
    "cfd_asphalt": ("asphalt", "road"),
    "sd_strip_steel": ("steel strip", "steel sheet"),
    "mvtec_leather": ("leather",),
    "mvtec_wood": ("wood", "wooden board"),
    "mvtec_carpet": ("carpet", "fabric"),
    "mvtec_grid": ("grid", "metal grid"),
    "mvtec_zipper": ("zipper",),
    METAL: ("metal surface", "brushed metal", "steel sheet"),
}
ANY_NOUN = ("part", "surface", "product", "workpiece")
SYNONYMS = {
    "cracked": ("crack", "cracked"),
    "metal_contamination": ("metal contamination", "contamination"),
    "manipulated_front": ("manipulated front", "damaged front"),
    "thread_side": ("damaged thread",),
    "thread_top": ("damaged thread top", "damaged thread"),
    "scratch_head": ("scratch on the head", "scratch"),
    "scratch_neck": ("scratch on the neck", "scratch"),
}

METAL_SIDE = 512
METAL_GOOD, METAL_FLAWED = 120, 40


def prompts(item: str, defect: str | None) -> list[str]:
    """The texts of an object's defect type (None: of a good picture); the object's own names come
    oftener than general ones."""
    own = NOUNS.get(item, (item.replace("_", " "),))
    nouns = [*own, own[0], own[0], *ANY_NOUN[:2]]
    if defect is None:
        return [text.format(noun) for noun in nouns for text in ("a {}", "a good {}")]
    kinds = SYNONYMS.get(defect, (defect.replace("_", " "),))
    return [f"a {noun} with a {kind}" for noun in nouns for kind in kinds] + list(kinds)


def draw_metal(root: Path) -> Path:
    """Draw brushed metal with defects in MVTec layout, once, on all cores; the object's folder."""
    folder = root / METAL
    done = folder / "done"
    if done.exists():
        return folder
    parts: list[tuple[str, int, str | None]] = [
        (f"{n:03d}", 100_000 + n, None) for n in range(METAL_GOOD)
    ]
    for kind, defect in enumerate(drawn_metal.DEFECTS):
        parts += [(f"{n:03d}", 200_000 + 1_000 * kind + n, defect) for n in range(METAL_FLAWED)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for _ in pool.map(partial(_draw_part, folder), parts, chunksize=4):
            pass
    done.touch()
    return folder


def _draw_part(folder: Path, part: tuple[str, int, str | None]) -> None:
    name, seed, defect = part
    drawn = drawn_metal.draw_part(seed, METAL_SIDE, defect)
    files = {f"train/good/{name}.png": drawn.image}
    if defect is not None:
        files = {
            f"test/{defect}/{name}.png": drawn.image,
            f"ground_truth/{defect}/{name}_mask.png": drawn.mask,
        }
    for place, pixels in files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(images.encode_png(pixels))


def real_sets(data: str) -> list[ObjectFolder]:
    """The objects of the folders :data:`SETS` below ``data`` (MVTec layout), or of a pack of them
    (:mod:`jobs.embedded_model.packed`)."""
    root = data.rstrip("/")
    if (Path(root) / LIST).exists():
        return read_packed(Path(root))
    found = []
    for name, (surface, shots) in SETS.items():
        objects = open_dataset(f"{root}/{name}", DatasetOptions(shots=shots))
        found += [_surface_defects(replace(one, surface=surface)) for one in objects]
    return found


def read_sets(data: str, work: Path) -> list[ObjectFolder]:
    """:func:`real_sets` of ``data``, and the metal drawn to ``work``."""
    options = DatasetOptions(shots=METAL_FLAWED - 1)
    (metal,) = open_dataset(str(draw_metal(work)), options)
    return [*real_sets(data), replace(metal, surface="texture")]


def _surface_defects(item: ObjectFolder) -> ObjectFolder:
    kept = tuple(one for one in item.defects if one.defect not in NO_SURFACE_DEFECTS)
    return replace(item, defects=kept)
