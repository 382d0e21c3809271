"""What the embedded model learns from: magnetic tiles, cookies, close-ups of their crust, and
drawn metal, each an object with its few-shot split.

Close-ups are parts of the cookies' pictures (media fragments), so no file is written for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core import images, random_streams
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import Box, read_picture
from adabldm.data import drawn_metal
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.data.prepared import INDEX, SCHEMA
from adabldm.data.split import Side
from adabldm.foreground.predictor import fit_foreground

TILE, COOKIE, CRUST, METAL = "mt_dev", "cookie", "cookie_crust", "brushed_metal"
NOUNS = {
    TILE: ("magnetic tile", "mt dev", "tile"),
    COOKIE: ("cookie", "biscuit"),
    CRUST: ("cookie crust", "crust"),
    METAL: ("metal surface", "brushed metal", "steel sheet"),
}
ANY_NOUN = ("part", "surface", "product", "workpiece")
SYNONYMS = {"cracked": ("crack", "cracked")}

CLOSE_UP = 144
"""Side of a close-up in pixels of the cookies' pictures."""
LEAST_CRUST = 0.97
"""Share of a close-up that must be cookie."""
LEAST_DEFECT = 0.004
"""Share of a close-up of a defect that must be defect."""
TRIES = 40
METAL_GOOD, METAL_FLAWED = 240, 40


def prompts(item: str, defect: str | None) -> list[str]:
    """The texts of an object's defect type (None: of a good picture); the object's own names come
    oftener than general ones."""
    own = NOUNS.get(item, (item.replace("_", " "),))
    nouns = [*own, own[0], own[0], *ANY_NOUN[:2]]
    if defect is None:
        return [text.format(noun) for noun in nouns for text in ("a {}", "a good {}")]
    kinds = SYNONYMS.get(defect, (defect.replace("_", " "),))
    return [f"a {noun} with a {kind}" for noun in nouns for kind in kinds] + list(kinds)


def _windows(
    rng: np.random.Generator, inside: np.ndarray, must_show: np.ndarray | None
) -> Iterator[Box]:
    """Close-ups that lie on the object, bool (H, W), and show enough of ``must_show``."""
    height, width = inside.shape
    for _ in range(TRIES):
        y = int(rng.integers(0, height - CLOSE_UP + 1))
        x = int(rng.integers(0, width - CLOSE_UP + 1))
        part = slice(y, y + CLOSE_UP), slice(x, x + CLOSE_UP)
        shown = 1.0 if must_show is None else must_show[part].mean()
        on_object = inside[part] if must_show is None else inside[part] | must_show[part]
        if on_object.mean() >= LEAST_CRUST and shown >= LEAST_DEFECT:
            yield Box(x, y, CLOSE_UP, CLOSE_UP)


def close_ups(cookies: ObjectFolder, a_picture: int = 4) -> ObjectFolder:
    """Parts of the cookies' pictures that show nothing but crust, as a texture of its own.

    A part is on its picture's side of the split; ``a_picture`` good ones a picture, and one or none
    of a defect.
    """
    predictor = fit_foreground([read_picture(uri) for uri in cookies.good])

    def of_good(uris: Sequence[str], side: str) -> Iterator[str]:
        for number, uri in enumerate(uris):
            rng = random_streams.stream(0, f"close-ups of good pictures, {side}", number)
            inside = predictor.mask(read_picture(uri)) > 0
            boxes = list(_windows(rng, inside, None))[:a_picture]
            yield from (uri + box.fragment for box in boxes)

    def of_defects(items: Sequence[DefectImage], side: str) -> Iterator[DefectImage]:
        for number, item in enumerate(items):
            rng = random_streams.stream(0, f"close-ups of defects, {side}", number)
            crack = read_picture(item.mask, "L") > 0
            inside = predictor.mask(read_picture(item.image)) > 0
            for box in list(_windows(rng, inside, crack))[:1]:
                yield replace(
                    item,
                    image=item.image + box.fragment,
                    mask=item.mask + box.fragment,
                    group=item.image,
                )

    return ObjectFolder(
        name=CRUST,
        good=tuple(of_good(cookies.good, "learned")),
        test_good=tuple(of_good(cookies.test_good, "unseen")),
        defects=tuple(of_defects(cookies.defects, "learned")),
        held_out=tuple(of_defects(cookies.held_out, "unseen")),
        surface="texture",
    )


def draw_metal(root: Path) -> Path:
    """Draw brushed metal with defects in MVTec layout, once; the object's folder."""
    folder = root / METAL
    done = folder / "done"
    if done.exists():
        return folder
    pictures = {
        f"train/good/{n:03d}.png": drawn_metal.draw_part(100_000 + n).image
        for n in range(METAL_GOOD)
    }
    for kind, defect in enumerate(drawn_metal.DEFECTS):
        for n in range(METAL_FLAWED):
            part = drawn_metal.draw_part(200_000 + 1_000 * kind + n, defect=defect)
            pictures[f"test/{defect}/{n:03d}.png"] = part.image
            pictures[f"ground_truth/{defect}/{n:03d}_mask.png"] = part.mask
    for name, pixels in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(images.encode_png(pixels))
    done.touch()
    return folder


def write_prepared(folder: Path, item: ObjectFolder) -> None:
    """Write ``item`` as a prepared data set, so that any verb can open it by its folder."""
    sides: list[tuple[Side, Sequence[str], Sequence[DefectImage]]] = [
        ("good", item.good, ()),
        ("test_good", item.test_good, ()),
        ("few", (), item.defects),
        ("held_out", (), item.held_out),
    ]
    rows = []
    for side, goods, defects in sides:
        common = {"object": item.name, "side": side, "surface": item.surface}
        rows += [{**common, "image": uri} for uri in goods]
        rows += [
            {**common, **vars(defect), "mask_rule": str(defect.mask_rule)} for defect in defects
        ]
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / INDEX)


def read_sets(data: str, work: Path) -> list[ObjectFolder]:
    """The objects below ``data`` (folders ``mt_dev`` and ``cookie``, MVTec layout), their close-ups
    (also written to ``work`` as a prepared data set) and the metal drawn to ``work``; ten real
    defects a type, of the drawn ones all."""
    root = data.rstrip("/")
    (tiles,) = open_dataset(f"{root}/{TILE}")
    (cookies,) = open_dataset(f"{root}/{COOKIE}")
    options = DatasetOptions(shots=METAL_FLAWED - 1)
    (metal,) = open_dataset(str(draw_metal(work)), options)
    crust = close_ups(cookies)
    write_prepared(work / CRUST, crust)
    return [
        replace(tiles, surface="texture"),
        replace(cookies, surface="object"),
        crust,
        replace(metal, surface="texture"),
    ]
