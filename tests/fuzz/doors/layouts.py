"""Data sets: listed, opened, prepared, planned on; and the tables and settings beside them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from adabldm.core.faults import InputFault
from adabldm.core.picture_uri import SUFFIXES, DatasetFault, split_fragment
from adabldm.data import layouts, opening, preparation
from adabldm.data.layouts import Tree
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.data.preparation import CheckedDataset, Outlined
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.storage.location import Location
from jobs.verbs.plan import Plan, make_plan
from jobs.verbs.plan_options import VarietyOptions
from tests.fuzz.case import Case
from tests.fuzz.doors.manifests import decode_all
from tests.fuzz.texts import any_json, any_yaml, csv_text
from tests.fuzz.trees import change, lay_out, unlock
from tests.support.making import checks_of

PLANNED = 4
COUNTED = importlib.util.find_spec("adabldm.data.accounting") is not None
"""Whether data sets count the files that they do not read."""
OF_PICTURES = ("not a readable picture", "the picture's data is broken", "transparent pixels")
"""What a plan must never say of a data set that was prepared."""


def run(case: Case) -> None:
    root = case.folder / "set"
    layout = lay_out(case, root)
    change(case, root)
    options = _options(case, layout)
    try:
        _through(case, root, options)
    finally:
        unlock(case.folder)


def _options(case: Case, layout: str) -> DatasetOptions:
    """Options that fit mostly, with files beside the data set."""
    beside = case.folder
    given: dict[str, str | int | None] = {
        "surface": "texture",
        "shots": case.rng.choice((1, 2, 10)),
    }
    if case.rng.random() < 0.3:
        given["layout"] = case.rng.choice((layout, layout, "mvtec", "plain", "nope"))
    some = ("test/crack/000.png", "ng/scratch/0.png", "train/good/000.png", "nothing.png")
    for name in ("groups", "captions"):
        if case.rng.random() < 0.15:
            column = name[:-1]
            rows = [(path, case.rng.choice(("a", "b", ""))) for path in some]
            (beside / f"{name}.csv").write_bytes(csv_text(case, f"image,{column}", rows))
            given[name] = str(beside / f"{name}.csv")
    if case.rng.random() < 0.15:
        given["split_file"] = _split_file(case, beside)
    if case.rng.random() < 0.2:
        given["mask_rule"] = case.rng.choice(
            ("bright", "dark", "nonzero", "alpha", "value:255", "x")
        )
    return DatasetOptions(**given)  # type: ignore[arg-type]


def _split_file(case: Case, beside: Path) -> str:
    sides = {"few": ["test/crack/000.png"], "held_out": ["test/crack/001.png"], "left_out": []}
    content = {"format": 1, "objects": {"set": {"defects": {"crack": sides}}}}
    lines = "# few\ncrack/000\ntest/crack/001.png\n/x/y/scratch/0.png\n\\a\\b\n"
    plain = case.rng.random() < 0.4
    path = beside / "split"
    path.write_bytes(lines.encode() if plain else any_json(case, content))
    return str(path)


def _through(case: Case, root: Path, options: DatasetOptions) -> None:
    uri = str(root)
    tree = case.call("tree", (DatasetFault,), lambda: Tree(uri)).value
    if tree is None:
        return
    case.call("detect", (DatasetFault,), lambda: layouts.detect(tree))
    listing = case.call(
        "layouts", (DatasetFault,), lambda: opening.list_pictures(tree, options)
    ).value
    if listing is not None:
        _account(case, tree, listing)
    opened = case.call("open", (DatasetFault,), lambda: open_dataset(uri, options))
    checked = case.call("prepare", (InputFault,), lambda: preparation.check(uri, options)).value
    if checked is not None:
        _prepared(case, checked, options)
    plan = _plan(case, uri, options, "plan")
    if plan is not None:
        case.require("open", opened.accepted, "refuses what is planned on", opened.refusal)


def _account(case: Case, tree: Tree, listing: layouts.Listing) -> None:
    """Nothing is skipped in silence, once data sets count their files."""
    lost = unaccounted(tree, listing)
    case.counts["files counted", "refused" if lost else "accepted"] += 1
    if COUNTED:
        case.require("files counted", not lost, "pictures neither used nor named", lost)


def unaccounted(tree: Tree, listing: layouts.Listing) -> list[str]:
    """Picture files that are neither used, nor named in a finding, themselves or by a folder that
    they are in."""
    used = {split_fragment(p)[0] for x in listing.pictures for p in (x.path, x.mask) if p}
    for picture in listing.pictures:
        used |= set(getattr(picture, "files", ()))
    named = {split_fragment(fault.path)[0].rstrip("/") for fault in listing.faults}
    for fault in listing.faults:
        named |= set(getattr(fault, "files", ()))

    def is_named(path: str) -> bool:
        parts = path.split("/")
        return any("/".join(parts[:n]) in named for n in range(1, len(parts) + 1))

    pictures = [path for path in tree.sizes if path.lower().endswith(SUFFIXES)]
    return [path for path in pictures if path not in used and not is_named(path)]


def _prepared(case: Case, checked: CheckedDataset, options: DatasetOptions) -> None:
    """What was prepared is opened, and planned on without a word about its pictures."""
    out = case.folder / "prepared"

    def write() -> bool:
        preparation.write(checked, Outlined.unseen(checked), options, _writer(out))
        return True

    if not case.call("prepare", (InputFault,), write).accepted:
        return
    again = DatasetOptions(surface="texture")
    opened = case.call("open prepared", (DatasetFault,), lambda: open_dataset(str(out), again))
    case.require("open prepared", opened.accepted, "refuses what was prepared", opened.refusal)
    if case.rng.random() < 0.4:
        _plan(case, str(out), again, "plan prepared")
    if case.rng.random() < 0.2:
        split = out / "split.json"
        content = json.loads(split.read_text())
        split.write_bytes(any_json(case, content))
        kept = DatasetOptions(split_file=str(split), surface="texture")
        root = str(case.folder / "set")
        case.call("split file", (InputFault,), lambda: preparation.check(root, kept))
    if case.rng.random() < 0.1:
        from tests.fuzz.spoiling import spoil

        index = out / "dataset.parquet"
        index.write_bytes(spoil(case.rng, index.read_bytes()))
        case.call("open prepared", (DatasetFault,), lambda: open_dataset(str(out), again))


def _writer(out: Path) -> preparation.WriteFile:
    def write_file(path: str, data: bytes) -> None:
        Location.of(str(out)).join(path).write(data)

    return write_file


def _variety(case: Case) -> VarietyOptions:
    given: dict[str, str] = {}
    if case.rng.random() < 0.25:
        pairs = {"*/crack": {"polygons": [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]]},
                 "*/scratch": {"polygons": [[[1, 1], [30, 2], [20, 30]]], "size": [32,
                 32]}}  # fmt: skip
        (case.folder / "regions.yaml").write_bytes(any_yaml(case, pairs))
        given["regions"] = str(case.folder / "regions.yaml")
    if case.rng.random() < 0.25:
        book = {"templates": ["{an_object} with {a_defect}"], "objects": {"set": ["a part"]},
                "defects": {"*/*": ["a crack", "a slit"]},
                            "captions": {"*/hole": ["a hole"]}}  # fmt: skip
        (case.folder / "prompts.yaml").write_bytes(any_yaml(case, book))
        given["prompts"] = str(case.folder / "prompts.yaml")
    if case.rng.random() < 0.1:
        given["masks"] = case.rng.choice(
            ("real,noise", "morph=1", "noise=0", "x", "real=nan", "real=1e300")
        )
    if case.rng.random() < 0.1:
        given["defects_per_image"] = case.rng.choice(("1:3", "0", "2:1", "x", "1:", "16", "\u0663"))
    return VarietyOptions(**given)  # type: ignore[arg-type]


def _plan(case: Case, uri: str, options: DatasetOptions, door: str) -> Plan | None:
    out = case.folder / door.replace(" ", "_")
    variety = _variety(case)

    def make() -> Plan:
        return make_plan(
            uri, count=PLANNED, seed=1, output=str(out), options=options, variety=variety
        )

    plan = case.call(door, (InputFault,), make)
    if door == "plan prepared":
        wrong = [text for text in OF_PICTURES if text in (plan.refusal or "")]
        case.require(door, not wrong, "refuses a picture that was prepared", plan.refusal)
    if plan.value is None:
        left = list(out.glob("manifest.parquet"))
        case.require(door, not left, "leaves a manifest although it refused", left)
        return None
    told = plan.value.rows + plan.value.unplaced
    case.require(door, told == PLANNED, "rows and rows without a place are not all", told)
    manifest = case.call("planned manifest", (InputFault,), lambda: Manifest(str(out))).value
    if manifest is None:
        case.require(door, False, "its manifest is refused")
        return plan.value
    roster = case.call(
        "planned manifest", (InputFault,), lambda: validate(manifest, checks_of(manifest))
    )
    case.require(door, roster.accepted, "its manifest is refused", roster.refusal)
    if roster.value is not None:
        roster.value.close()
        decode_all(case, manifest)
    return plan.value
