"""One defect from Python: a good picture, a trimap and a prompt in, a pair out.

    python examples/quickstart.py OUTPUT

Uses the model in the package and a drawn picture, so it needs no data, no network and no GPU; it
takes seconds. For pictures of your own, load them as uint8 arrays in the place of ``good`` and
``mask``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from adabldm import AdaBLDMPipeline
from adabldm.core import trimap
from adabldm.data.drawn_metal import draw_part
from adabldm.networks.embedded import embedded_path
from adabldm.sampling.options import FastOptions

SURFACE, SIDE = 900, 128


def main(output: Path) -> None:
    """Write ``good.png``, ``image.png`` and ``mask.png`` to ``output``."""
    # The good picture, uint8 (H, W, 3), and where the defect is to be, uint8 (H, W), 0 / 255.
    good = draw_part(SURFACE, SIDE).image
    mask = draw_part(SURFACE, SIDE, "scratch").mask

    # 255 defect, 127 object, 0 background; a texture such as this one is all object.
    marks = trimap.compose(mask)

    pipeline = AdaBLDMPipeline.from_pretrained(embedded_path())
    made = pipeline(
        images=[good],
        trimaps=[marks],
        prompts=["a metal surface with a scratch"],
        seeds=[7],
        options=FastOptions(),  # leave it out for the paper's own procedure
    )

    output.mkdir(parents=True, exist_ok=True)
    for name, pixels in (("good", good), ("image", made.images[0]), ("mask", made.masks[0])):
        Image.fromarray(pixels).save(output / f"{name}.png")
    figures = made.traces[0].quality
    print(
        f"background {figures['background_psnr_db']:.1f} dB; "
        f"the defect changed by {figures['defect_change']:.1f} grey levels: {output}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    main(parser.parse_args().output)
