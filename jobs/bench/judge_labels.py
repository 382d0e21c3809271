"""The judge beside an eye: ``python -m jobs.bench.judge_labels draw`` and ``compare``.

``draw`` makes pairs of several products in three ways (from the look of a real defect, from noise,
and from noise with five image edits, which wear thin defects away) and shows good picture, mask
and result, without a word about the judge. Somebody writes the numbers of the pairs whose mask
tells the truth into a file, and only then ``compare`` holds the judge's verdicts against it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.judging.verdict import judge
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.unseen_cases import draw_case
from adabldm.sampling.options import FastOptions
from jobs.embedded_model import sets
from jobs.embedded_model.measure import shown
from jobs.sheets.picture_grid import Group, PictureGrid

SETS = ("mt_dev", "cfd_asphalt", "mvtec_leather", "sd_strip_steel", "bsd_ball_screw")
WAYS = (
    FastOptions(),
    FastOptions(strength=1.0),
    FastOptions(strength=1.0, image_edits=5, latent_editing_start=0.52, steps=15),
)
SIDE, ACROSS, A_SHEET = 220, 2, 20

app = typer.Typer(add_completion=False)


@app.command()
def draw(
    data: Annotated[Path, typer.Option(help="Folder of the sets")],
    output: Annotated[Path, typer.Option(help="Folder of the sheets and verdicts.json")],
    count: int = 60,
) -> None:
    """Draw the pairs, the sheets to label, and the judge's verdicts in a file not to look at."""
    torch.set_num_threads(1)
    pipeline = AdaBLDMPipeline.from_pretrained(embedded_path())
    pipeline.set_progress_bar_config(disable=True)
    products = {}
    for name in SETS:
        _, shots = sets.SETS[name]
        (item, *_) = open_dataset(str(data / name), DatasetOptions(shots=shots))
        products[name] = ObjectPictures(item, None)
    groups, verdicts = [], []
    for number in range(count):
        name, turn = SETS[number % len(SETS)], number // len(SETS)
        noun = sets.NOUNS.get(name, (name,))[0]
        case = draw_case(products[name], turn, noun)
        if case is None:
            continue
        way = (number + turn) % len(WAYS)
        (result,) = pipeline(
            images=[case.good],
            trimaps=[case.trimap],
            prompts=[case.prompt],
            seeds=[number],
            options=WAYS[way],
            starts=[case.pasted["soft"]],
        ).images
        verdict = judge(result, case.good, case.trimap)
        verdicts.append(
            {"number": number, "set": name, "way": way, "reason": verdict.reason}
            | {key: round(value, 4) for key, value in verdict.figures.items()}
        )
        near = shown(case.mask)
        mask = case.mask[near].astype(np.uint8) * 255
        pictures = (case.good[near], mask, result[near])
        groups.append(Group(pictures=pictures, label=f"{number}: {case.prompt}"))
    output.mkdir(parents=True, exist_ok=True)
    (output / "verdicts.json").write_text(json.dumps(verdicts, indent=1) + "\n")
    for first in range(0, len(groups), A_SHEET):
        grid = PictureGrid(groups=groups[first : first + A_SHEET], side=SIDE, across=ACROSS)
        grid.draw().save(output / f"sheet_{first:02d}.png")
    print(f"{len(groups)} pairs to label: {output}")


@app.command()
def compare(
    output: Annotated[Path, typer.Option(help="What draw wrote")],
    labels: Annotated[Path, typer.Option(help="JSON: a list of the numbers that are right")],
) -> None:
    """Print how often the judge and the eye agree."""
    right = set(json.loads(labels.read_text()))
    verdicts = json.loads((output / "verdicts.json").read_text())
    accepted = {one["number"] for one in verdicts if one["reason"] is None}
    both = len(right & accepted)
    print(f"{len(verdicts)} pairs, {len(right)} right by eye, {len(accepted)} accepted")
    print(f"precision {both / max(1, len(accepted)):.3f}, recall {both / max(1, len(right)):.3f}")
    for title, numbers in (
        ("accepted, wrong by eye", accepted - right),
        ("rejected, right by eye", right - accepted),
    ):
        print(f"{title}: {sorted(numbers)}")


if __name__ == "__main__":
    app()
