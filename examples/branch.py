"""Train a branch for one kind of defect, then put it into its base and make a pair with it.

    python examples/branch.py OUTPUT [--steps 4]

Four steps show the way and teach nothing; the paper takes 50,000. The data are drawn, the base is
the model in the package. Needs no network and no GPU; takes a minute or two.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from PIL import Image

from adabldm import AdaBLDMPipeline
from adabldm.branches.files import load_branch
from adabldm.branches.swapper import Swapper
from adabldm.core import trimap
from adabldm.data.drawn_metal import draw_part
from adabldm.networks.embedded import embedded_path
from adabldm.sampling.options import FastOptions

GOOD, FLAWED, SIDE = 4, 3, 128


def draw_data_set(folder: Path) -> None:
    """Drawn metal with cracks, in MVTec AD's layout."""
    pictures = {f"train/good/{number}.png": draw_part(number, SIDE).image for number in range(GOOD)}
    for number in range(FLAWED):
        part = draw_part(1_000 + number, SIDE, "crack")
        pictures[f"test/crack/{number}.png"] = part.image
        pictures[f"ground_truth/crack/{number}_mask.png"] = part.mask
    for name, pixels in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)


def train(data: Path, branch: Path, steps: int) -> None:
    """``adabldm train``: the control branch learns, everything else is locked."""
    words = (
        "train", data, "--base", "embedded", "--output", branch, "--gpus-per-worker", 0,
        "--steps", steps, "--batch-size", 1, "--pairs", 8, "--rank", 8,
    )  # fmt: skip
    subprocess.run([sys.executable, "-m", "jobs.cli", *map(str, words)], check=True)


def make_one(branch: Path) -> Image.Image:
    """A crack on a new surface, drawn with the branch in the base's place."""
    pipeline = AdaBLDMPipeline.from_pretrained(embedded_path())
    swapper = Swapper(pipeline)
    swapper.use(load_branch(branch))
    made = pipeline(
        images=[draw_part(900, SIDE).image],
        trimaps=[trimap.compose(draw_part(900, SIDE, "crack").mask)],
        prompts=["a metal surface with a crack"],
        seeds=[7],
        options=FastOptions(),
    )
    swapper.use(None)  # the base again, bit by bit
    return Image.fromarray(made.images[0])


def main(output: Path, steps: int) -> None:
    """The branch is in ``branch``, its training's log in ``branch/training``."""
    data, branch = output / "brushed_metal", output / "branch"
    draw_data_set(data)
    train(data, branch, steps)
    make_one(branch).save(output / "image.png")
    print(f"made with the branch: {output / 'image.png'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=4)
    asked = parser.parse_args()
    main(asked.output.resolve(), asked.steps)
