"""Measure a model against real defects: ``python -m jobs.embedded_model.measure --data DATA``.

Everything is measured at the pictures' own size, on what learning never saw: the good pictures and
the defects that the split keeps for evaluation. What the figures are:
:mod:`jobs.embedded_model.set_figures`. They count; whether a defect looks right is for the sheets
that ``--sheets`` draws.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
import torch
import typer

from adabldm.core import images
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import DatasetFault, read_bytes, split_fragment
from adabldm.data.opening import open_dataset
from adabldm.data.options import SHOTS, DatasetOptions
from adabldm.judging import pair
from adabldm.judging.candidates import candidate_seed, is_better
from adabldm.judging.verdict import Judge
from adabldm.networks.autoencoder import from_uint8, to_uint8
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.placement.canvas import canvas
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.unseen_cases import UnseenCase, draw_case
from adabldm.sampling.options import ModeOptions, options_of
from jobs.embedded_model import blind_sheet
from jobs.embedded_model.defect_crops import Sample, window
from jobs.embedded_model.figures_table import COLUMNS, print_figures
from jobs.embedded_model.lite0 import Extractor, Lite0Missing, open_lite0
from jobs.embedded_model.set_figures import (
    Column,
    compared,
    specimen_counts,
    type_counts,
    with_judgement,
    with_visibility_beyond_autoencoder,
)
from jobs.progress import Tracker
from jobs.sheets.picture_grid import Group, PictureGrid

PAIRS_SHOWN = 24
PAIR_TITLES = ("good", "trimap", "result", "best candidate")
PAIR_SIDE = 192
LEAST_SHOWN = 128


@dataclass(frozen=True, kw_only=True)
class AnsweredCase:
    """A case, the model's answer uint8 (H, W, 3), the same before adaptation, and the best of
    several candidates."""

    case: UnseenCase
    image: np.ndarray
    before: np.ndarray
    best: np.ndarray


def native_sizes(uris: Sequence[str]) -> dict[str, int]:
    """How many pictures there are of each size, ``width x height`` in pixels, largest first."""
    sizes: Counter[tuple[int, int]] = Counter()
    for uri in uris:
        file, box = split_fragment(uri)
        sizes[(box.height, box.width) if box else images.read_size(read_bytes(file))] += 1
    ordered = sorted(sizes.items(), key=lambda item: (-item[0][0] * item[0][1], item[0]))
    return {f"{width} x {height}": count for (height, width), count in ordered}


@torch.no_grad()
def _through_autoencoder(pipeline: AdaBLDMPipeline, picture: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 3) encoded (to the posterior's mean) and decoded."""
    pixels = from_uint8(torch.from_numpy(picture.copy())[None])
    image = pixels.to(pipeline.device, pipeline.vae.dtype)
    return to_uint8(pipeline.vae(image).sample.float())[0].cpu().numpy()


def reconstruct(
    pipeline: AdaBLDMPipeline, picture: np.ndarray, marks: np.ndarray
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """``picture`` uint8 (H, W, 3) whose defects, of the trimap ``marks``, are replaced by what the
    autoencoder makes of the picture there; and its windows, seen and as they come back."""
    whole = canvas(picture, marks, 0, pipeline.image_size, native=True)
    seen = [view.image for view in whole.views()]
    back = [_through_autoencoder(pipeline, one) for one in seen]
    return whole.composed(back), list(zip(seen, back, strict=True))


def autoencoder_figures(
    windows: Sequence[tuple[np.ndarray, np.ndarray]],
) -> dict[str, float]:
    """Mean PSNR and SSIM of windows, uint8 (S, S, 3), and what the autoencoder makes of them."""
    found = [(pair.psnr(back, seen), pair.ssim(back, seen)) for seen, back in windows]
    psnr, ssim = np.mean(found, axis=0)
    return {"windows": len(windows), "psnr_db": float(psnr), "ssim": float(ssim)}


def generate(
    pipeline: AdaBLDMPipeline,
    cases: Sequence[UnseenCase],
    options: ModeOptions,
    candidates: int,
    title: str,
) -> list[AnsweredCase]:
    """The model's answers, one at a time, started from the look of the defect whose mask is asked
    for, as a plan's rows are; progress, rate and time left go to standard error."""
    found = []
    with Tracker(title, len(cases)) as tracker:
        for number, case in enumerate(cases, start=1):
            judge = Judge(case.good, case.trimap)
            drawn = [
                pipeline(
                    images=[case.good],
                    trimaps=[case.trimap],
                    prompts=[case.prompt],
                    seeds=[candidate_seed(case.index, candidate)],
                    options=options,
                    starts=[case.pasted["soft"]],
                )
                for candidate in range(candidates)
            ]
            best, verdict = drawn[0], judge(drawn[0].images[0])
            for other in drawn[1:]:
                if is_better(its := judge(other.images[0]), verdict):
                    best, verdict = other, its
            found.append(
                AnsweredCase(
                    case=case,
                    image=drawn[0].images[0],
                    before=drawn[0].blended[0],
                    best=best.images[0],
                )
            )
            tracker.update(number)
    return found


def _real(product: ObjectPictures, items: Sequence[DefectImage]) -> list[Sample]:
    found = []
    for item in items:
        image, mask = product.defect(item)
        name = "/".join(PurePosixPath(item.image).parts[-3:])
        group = name if item.group is None else f"group {item.group}"
        found.append(Sample(image=image, mask=mask, defect=item.defect, source=name, group=group))
    return found


def _sample(case: UnseenCase, image: np.ndarray) -> Sample:
    name = f"pair {case.index}"
    return Sample(image=image, mask=case.mask, defect=case.defect, source=name, group=name)


def samples_by_kind(
    made: Sequence[AnsweredCase], undefective: Sequence[np.ndarray]
) -> dict[str, list[Sample]]:
    """The generated pictures, and what they are compared with: same places, same masks."""
    return {
        "ours": [_sample(one.case, one.image) for one in made],
        "best": [_sample(one.case, one.best) for one in made],
        "pasted_hard": [_sample(one.case, one.case.pasted["hard"]) for one in made],
        "pasted_soft": [_sample(one.case, one.case.pasted["soft"]) for one in made],
        "undefective": [
            _sample(one.case, plain) for one, plain in zip(made, undefective, strict=True)
        ],
    }


def save_sheets(
    folder: Path, name: str, kinds: Mapping[str, Sequence[Sample]], made: Sequence[AnsweredCase]
) -> list[Path]:
    """The blind sheet, where there are real defects to show, and the labelled pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    blind = {kind: kinds[kind] for kind in ("real", "ours", "pasted_hard")}
    written = [folder / f"{name}.png"] if blind_sheet.save(folder, name, blind) else []
    first = made[:PAIRS_SHOWN]
    groups = [
        Group(
            pictures=tuple(
                picture[shown(one.case.mask)]
                for picture in (one.case.good, one.case.trimap, one.image, one.best)
            ),
            label=f"{one.case.index}: {one.case.prompt}",
        )
        for one in first
    ]
    written.append(folder / f"{name}_pairs.png")
    PictureGrid(groups=groups, side=PAIR_SIDE, across=2, titles=PAIR_TITLES).draw().save(
        written[-1]
    )
    return written


def shown(mask: np.ndarray) -> tuple[slice, slice]:
    """The defect's surroundings, at least :data:`LEAST_SHOWN` pixels a side."""
    rows, cols = window(mask)
    height, width = mask.shape
    side = min(height, width, max(LEAST_SHOWN, rows.stop - rows.start))
    top, left = (
        min(max(0, (one.start + one.stop - side) // 2), length - side)
        for one, length in ((rows, height), (cols, width))
    )
    return slice(top, top + side), slice(left, left + side)


def refuse_unmeasurable(folder: ObjectFolder) -> None:
    """Raise :class:`DatasetFault` without an unseen good picture, or a defect to take masks of."""
    for field in ("test_good", "defects"):
        if not getattr(folder, field):
            raise DatasetFault(f"{folder.name}: {field}: is empty: nothing can be measured")


def _columns(
    kinds: Mapping[str, Sequence[Sample]], cases: Sequence[UnseenCase], few: Sequence[Sample]
) -> dict[str, Column]:
    """What each kind changed in the cases' good pictures; of the ``few`` only their number."""
    goods = [case.good for case in cases]
    found = {
        name: with_judgement(Column(pictures=len(samples)), samples, goods)
        for name, samples in kinds.items()
    }
    found["ours"] = with_visibility_beyond_autoencoder(
        found["ours"], kinds["ours"], kinds["undefective"]
    )
    return {**found, "few": Column(pictures=len(few))}


def measure_object(
    folder: ObjectFolder,
    pipeline: AdaBLDMPipeline,
    extractor: Extractor,
    *,
    noun: str,
    count: int,
    options: ModeOptions,
    candidates: int = 1,
    sheets: Path | None = None,
) -> dict[str, Any]:
    """All figures of one object, as JSON can hold them; sheets go to the folder ``sheets``.

    Raises :class:`DatasetFault` as :func:`refuse_unmeasurable`, or if no defect fits.
    """
    refuse_unmeasurable(folder)
    product = ObjectPictures(folder, None)
    drawn = [draw_case(product, index, noun) for index in range(count)]
    cases = [case for case in drawn if case is not None]
    if not cases:
        raise DatasetFault(f"{folder.name}: defects: none of {count} fits on a good picture")
    began = time.monotonic()
    made = generate(pipeline, cases, options, candidates, folder.name)
    seconds = (time.monotonic() - began) / len(made) / candidates
    plain = [reconstruct(pipeline, case.good, case.trimap) for case in cases]
    kinds = samples_by_kind(made, [picture for picture, _ in plain])
    few, real = _real(product, folder.defects), _real(product, folder.held_out)
    columns, halves = compared(_columns(kinds, cases, few), {**kinds, "few": few}, real, extractor)
    if sheets is not None:
        for path in save_sheets(sheets, folder.name, {**kinds, "real": real}, made):
            print(f"drawn: {path}")
    measured = {**columns, "real_halves": halves}
    return {
        "object": folder.name,
        "noun": noun,
        "surface": "texture" if product.is_texture else "object",
        "native_sizes": native_sizes([*folder.test_good, *(d.image for d in folder.held_out)]),
        "autoencoder": autoencoder_figures([one for _, found in plain for one in found]),
        "pairs": len(made),
        "unplaced": count - len(made),
        "candidates": candidates,
        "seconds_a_candidate": seconds,
        "real_defects": type_counts(real),
        "real_specimens": specimen_counts(real),
        "columns": {name: asdict(measured[name]) for name in COLUMNS},
    }


def nouns_of(given: Sequence[str]) -> dict[str, str]:
    """``NAME=NOUN`` texts as a mapping. Raises ``ValueError`` for any other text."""
    found = {}
    for text in given:
        name, sign, noun = text.partition("=")
        if not (name and sign and noun):
            raise ValueError(f"--noun: {text!r}: must be NAME=NOUN")
        found[name] = noun
    return found


def main(
    data: Annotated[list[str], typer.Option(help="A data set of any layout; any URI. Repeatable.")],
    model: Annotated[Path | None, typer.Option(help="Model folder; default the embedded")] = None,
    count: Annotated[int, typer.Option(min=1, help="Pairs an object")] = 200,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates a pair")] = 4,
    mode: Annotated[str, typer.Option(help="exact or fast")] = "fast",
    strength: Annotated[
        float | None, typer.Option(help="Of fast: 1 starts from noise alone", min=0.01, max=1)
    ] = None,
    sheets: Annotated[Path | None, typer.Option(help="Folder of the sheets to look at")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="The figures as JSON")] = None,
    shots: Annotated[int, typer.Option(help="Real defects a type that were learned from")] = SHOTS,
    split: Annotated[str | None, typer.Option(help="A split that was written down")] = None,
    noun: Annotated[
        list[str] | None, typer.Option(help="NAME=NOUN: what prompts call an object. Repeatable.")
    ] = None,
    threads: int = 1,
) -> None:
    """Print the figures of a model, a table an object.

    \b
    python -m jobs.embedded_model.measure --data tiles --noun tiles="magnetic tile" --sheets sheets
    """
    torch.set_num_threads(threads)
    try:
        nouns, options = (
            nouns_of(noun or []),
            options_of(mode, **({} if strength is None else {"strength": strength})),
        )
        how = DatasetOptions(shots=shots, split_file=split)
        objects = [folder for uri in data for folder in open_dataset(uri, how)]
        for folder in objects:
            refuse_unmeasurable(folder)
        extractor = open_lite0()
    except (ValueError, Lite0Missing) as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(2) from fault
    pipeline = AdaBLDMPipeline.from_pretrained(model or embedded_path())
    pipeline.set_progress_bar_config(disable=True)
    report: dict[str, Any] = {"mode": mode, "shots": shots, "count": count, "objects": []}
    for folder in objects:
        figures = measure_object(
            folder,
            pipeline,
            extractor,
            noun=nouns.get(folder.name, folder.name.replace("_", " ")),
            count=count,
            options=options,
            candidates=candidates,
            sheets=sheets,
        )
        print_figures(figures)
        report["objects"].append(figures)
        if json_path is not None:
            json_path.parent.mkdir(parents=True, exist_ok=True)
            json_path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    typer.run(main)
