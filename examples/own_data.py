"""From a folder of one's own to a sheet of pairs: prepare, plan, generate, verify, sheet.

    python examples/own_data.py OUTPUT [--count 8]

Draws a folder that is in no known layout and describes it by a ``dataset.yaml``; put your own
pictures in its place. The verbs are those of the command line, as you would type them. Needs no
network and no GPU; takes about a minute.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from PIL import Image

from adabldm.data.drawn_metal import draw_part

GOOD, FLAWED, SIDE = 6, 3, 128

DATASET_YAML = """\
name: bracket
surface: texture           # or object; left out, it is found out
good: ok/*.png
defects:
  scratch:
    images: ng/scratch/*.png
    masks: "ng_masks/{stem}.png"
"""


SHORT = 3
"""How ``generate`` ends when it has all the pairs but those that the judge rejected."""


def adabldm(*words: object) -> None:
    """Run ``adabldm WORDS``; stop here if it does not end well."""
    ended = subprocess.run([sys.executable, "-m", "jobs.cli", *map(str, words)], check=False)
    if ended.returncode not in (0, SHORT):
        sys.exit(ended.returncode)


def draw_folder(folder: Path) -> None:
    """Pictures of a part, some with a scratch, and the file that says what lies where."""
    pictures = {f"ok/{number}.png": draw_part(number, SIDE).image for number in range(GOOD)}
    for number in range(FLAWED):
        part = draw_part(1_000 + number, SIDE, "scratch")
        pictures[f"ng/scratch/{number}.png"] = part.image
        pictures[f"ng_masks/{number}.png"] = part.mask
    for name, pixels in pictures.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    (folder / "dataset.yaml").write_text(DATASET_YAML)


def main(output: Path, count: int) -> None:
    """Everything below ``output``; the sheet to look at is ``pairs.png``."""
    data, prepared, plan = output / "data", output / "prepared", output / "plan"
    pairs, sheet = output / "pairs", output / "pairs.png"
    draw_folder(data)
    adabldm("prepare", data, "--output", prepared)
    adabldm(
        "plan", prepared, "--count", count, "--seed", 0, "--object-name", "metal surface",
        "--output", plan,
    )  # fmt: skip
    adabldm(
        "generate", "--manifest", plan / "manifest.parquet", "--model", "embedded",
        "--output", pairs, "--mode", "fast", "--gpus-per-worker", 0, "--keep", "source,trimap",
    )  # fmt: skip
    adabldm("verify", pairs)
    adabldm("sheet", pairs, "--png", sheet)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=8)
    asked = parser.parse_args()
    main(asked.output.resolve(), asked.count)
