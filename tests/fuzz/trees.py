"""Data sets in every layout, and what people and tools do to folders."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from adabldm.core import images
from tests.fuzz.case import Case
from tests.fuzz.drawing import SUFFIX, draw_picture
from tests.fuzz.mask_drawing import draw_mask
from tests.fuzz.spoiling import spoil
from tests.fuzz.texts import any_yaml, csv_text
from tests.support import trees

LAYOUTS = {"mvtec": 5, "several": 2, "btad": 2, "visa": 3, "ksdd2": 2, "plain": 5}


def lay_out(case: Case, root: Path) -> str:
    """A sound data set below ``root``; returns its layout's name."""
    layout = case.pick(LAYOUTS)
    trees.lay_out(str(root), BUILD[layout](case))
    return "mvtec" if layout == "several" else layout


def _mvtec(case: Case) -> dict[str, bytes]:
    defects = {
        name: case.rng.choice((1, 2, 3)) for name in ("crack", "hole")[: case.rng.choice((1, 2))]
    }
    files = trees.mvtec(good=case.rng.choice((1, 2, 3)), test_good=1, defects=defects)
    if case.rng.random() < 0.3:
        rows = [(f"test/{name}", "000.png", case.rng.choice("aab")) for name in defects]
        files["index.csv"] = csv_text(case, "sub,file,tile_group", rows)
    return files


def _several(case: Case) -> dict[str, bytes]:
    found = {}
    for name in ("nut", "bolt"):
        found |= trees.mvtec(f"{name}/", good=2, test_good=1, defects={"crack": 2})
    return found


def _btad(case: Case) -> dict[str, bytes]:
    names = [f"train/ok/{i}.png" for i in range(2)] + ["test/ok/0.png"]
    for i in range(2):
        names += [f"test/ko/{i}.png", f"ground_truth/ko/{i}.png"]
    return {n: trees.mask() if n.startswith("ground") else trees.picture(n) for n in names}


def _visa(case: Case) -> dict[str, bytes]:
    data = "cap/Data/"
    normal = [f"{data}Images/Normal/{i}.JPG" for i in range(2)]
    bad = [(f"{data}Images/Anomaly/{i}.JPG", f"{data}Masks/Anomaly/{i}.png") for i in range(2)]
    files = {n: trees.picture(n) for n in [*normal, *(image for image, _ in bad)]}
    files |= {mask: trees.mask() for _, mask in bad}
    if case.rng.random() < 0.7:
        rows = [("cap", "train", "normal", n, "") for n in normal]
        rows += [("cap", "test", "anomaly", image, mask) for image, mask in bad]
        files["split_csv/1cls.csv"] = csv_text(case, "object,split,label,image,mask", rows)
    if len(files) < 7 or case.rng.random() < 0.6:
        types = [(n, "normal", "") for n in normal]
        types += [(image, case.rng.choice(("bent", "bent,dirt")), mask) for image, mask in bad]
        files["cap/image_anno.csv"] = csv_text(case, "image,label,mask", types)
    return files


def _ksdd2(case: Case) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for i in range(3):
        shape = case.rng.choice(((96, 32), (32, 96), (40, 40)))
        found[f"train/1000{i}.png"] = trees.picture(f"k{i}", *shape)
        marks = np.zeros(shape, np.uint8)
        marks[4:9, 3:7] = 255 * (i > 0)
        found[f"train/1000{i}_GT.png"] = images.encode_png(marks)
    return found


def _plain(case: Case) -> dict[str, bytes]:
    names = ["ok/0.png", "ok/1.png", "ng/scratch/0.png", "ng/scratch/1.png",
             "ng/masks/0.png", "ng/masks/1.png", "more/2.png", "more/2_mask.png"]  # fmt: skip
    found = {n: trees.mask() if "mask" in n else trees.picture(n) for n in names}
    settings = {
        "name": "bracket", "surface": "texture", "good": "ok/*.png",
        "defects": {"scratch": {"images": "ng/scratch/*.png", "masks": "ng/masks/{stem}.png"}},
        "table": "pictures.csv",
    }  # fmt: skip
    rows = [
        ("more/2.png", "dent", "more/2_mask.png", "g", "a dent", ""),
        ("ok/0.png", "", "", "h", "", ""),
    ]
    found["pictures.csv"] = csv_text(case, "image,defect,mask,group,caption,part", rows)
    wrapped = {"objects": [settings]} if case.rng.random() < 0.2 else settings
    found["dataset.yaml"] = any_yaml(case, wrapped)
    return found


BUILD: dict[str, Callable[[Case], dict[str, bytes]]] = {
    "mvtec": _mvtec, "several": _several, "btad": _btad, "visa": _visa, "ksdd2": _ksdd2,
    "plain": _plain,
}  # fmt: skip

NAMES = ("cafe\u0301", "caf\u00e9", " spaced ", "a..b", "con", "x" * 120, "\u6f22\u5b57", "Good",
         "TRAIN",
         "100%", "a#xywh=1,1,2,2", "a?b", "a*b[c]", "{stem}", "a'b\"c", "-rf", "a\\b", "index",
         "a:b", "good", "_GT", "_mask", "a\tb", "ok", "\u200bzero", "a+b c", "~",
         "%41")  # fmt: skip


def change(case: Case, root: Path) -> None:
    """One to four changes below ``root``."""
    for _ in range(case.rng.choice((0, 0, 1, 1, 1, 2, 4))):
        inside = sorted(p for p in root.rglob("*") if not p.is_symlink() and not p.is_fifo())
        if not inside:
            return
        try:
            case.rng.choice(WAYS)(case, root, case.rng.choice(inside))
        except (OSError, ValueError, shutil.Error):
            continue


def _remove(case: Case, root: Path, path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _rename(case: Case, root: Path, path: Path) -> None:
    name = case.rng.choice(NAMES)
    path.rename(path.with_name(name if path.is_dir() else f"{name}{path.suffix}"))


def _move(case: Case, root: Path, path: Path) -> None:
    folder = case.rng.choice([root, *(p for p in sorted(root.rglob("*")) if p.is_dir())])
    if path not in (folder, *folder.parents) and not (folder / path.name).exists():
        path.rename(folder / path.name)


def _copy(case: Case, root: Path, path: Path) -> None:
    if path.is_file():
        folder = case.rng.choice([root, *(p for p in sorted(root.rglob("*")) if p.is_dir())])
        shutil.copy(path, folder / case.rng.choice((path.name, f"copy_{path.name}")))


def _nest(case: Case, root: Path, path: Path) -> None:
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    path.mkdir()
    away.rename(path / case.rng.choice(("inner", path.name)))


def _link(case: Case, root: Path, path: Path) -> None:
    target = case.rng.choice((root, path, path.parent, Path("nowhere"), path.parent / "self"))
    link = path.parent / case.rng.choice(("linked", "linked.png", "self"))
    link.symlink_to(target)


def _case(case: Case, root: Path, path: Path) -> None:
    path.rename(path.with_name(case.rng.choice((path.name.upper(), path.name.title()))))


def _spell(case: Case, root: Path, path: Path) -> None:
    form = case.rng.choice(("NFC", "NFD"))
    path.rename(path.with_name(unicodedata.normalize(form, f"\u00fc{path.name}")))


def _suffix(case: Case, root: Path, path: Path) -> None:
    path.rename(
        path.with_suffix(case.rng.choice((".jpg", ".JPG", ".gif", "", ".png.bak", ".tif", ".zip")))
    )


def _empty(case: Case, root: Path, path: Path) -> None:
    if path.is_file():
        path.write_bytes(b"")


def _folder_like_file(case: Case, root: Path, path: Path) -> None:
    if path.is_file():
        path.unlink()
        path.mkdir()


def _file_like_folder(case: Case, root: Path, path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        path.write_bytes(b"a file")


def _spoil(case: Case, root: Path, path: Path) -> None:
    if path.is_file():
        path.write_bytes(spoil(case.rng, path.read_bytes()))


def _other_picture(case: Case, root: Path, path: Path) -> None:
    if path.suffix.lower() in SUFFIX.values():
        path.write_bytes(draw_picture(case, (32, 32)).data)


def _other_mask(case: Case, root: Path, path: Path) -> None:
    masks = [
        p
        for p in sorted(root.rglob("*"))
        if p.is_file() and ("mask" in str(p) or "truth" in str(p))
    ]
    if masks:
        case.rng.choice(masks).write_bytes(draw_mask(case).data)


def _stray(case: Case, root: Path, path: Path) -> None:
    folder = path if path.is_dir() else path.parent
    name = case.rng.choice(
        (".DS_Store", "Thumbs.db", "notes.txt", "x.png", "x.gif", "x.zip", "._0.png")
    )
    (folder / name).write_bytes(trees.picture(name) if name.endswith("png") else b"stray")


def _pipe(case: Case, root: Path, path: Path) -> None:
    folder = path if path.is_dir() else path.parent
    os.mkfifo(folder / "pipe.png")


def _bytes_name(case: Case, root: Path, path: Path) -> None:
    os.rename(
        os.fsencode(path), os.fsencode(path.parent) + b"/latin\xe9" + os.fsencode(path.suffix)
    )


def _line_name(case: Case, root: Path, path: Path) -> None:
    path.rename(path.with_name(f"two\nlines{path.suffix}"))


def _locked(case: Case, root: Path, path: Path) -> None:
    path.chmod(0)


WAYS = (
    _remove, _remove, _rename, _rename, _rename, _move, _move, _copy, _copy, _nest, _link, _link,
    _case,
    _spell, _suffix, _suffix, _empty, _folder_like_file, _file_like_folder, _spoil, _spoil,
    _other_picture, _other_picture, _other_mask, _other_mask, _stray, _stray, _pipe, _bytes_name,
    _line_name, _locked,
)  # fmt: skip


def unlock(root: Path) -> None:
    """Everything below may be read and removed again."""
    for folder, names, files in os.walk(root):
        for name in [*names, *files]:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)
