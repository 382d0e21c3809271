"""A branch's examples: the same for every worker, on the object, only of what may be learned."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from adabldm.core import trimap
from adabldm.core.objects import ObjectFolder
from adabldm.planning.object_pictures import PairFault
from adabldm.sampling.options import Resolution
from adabldm.training.examples import Example, ExampleStream
from tests.support.drawn_folder import disc_folder, metal_folder


def prompts(item: str, defect: str | None) -> list[str]:
    return [f"{item}, {defect}"]


def stream(
    *objects: ObjectFolder, seed: int = 5, resolution: Resolution = "native"
) -> ExampleStream:
    return ExampleStream(objects, prompts=prompts, size=96, seed=seed, resolution=resolution)


def same(one: Example, other: Example) -> bool:
    return (
        one.prompt == other.prompt
        and np.array_equal(one.image, other.image)
        and np.array_equal(one.trimap, other.trimap)
    )


def test_a_pair_is_a_function_of_seed_and_index(tmp_path: Path) -> None:
    disc, metal = disc_folder(tmp_path), metal_folder(tmp_path)
    forwards, backwards = stream(disc, metal), stream(disc, metal)
    first = [forwards[i] for i in range(9)]
    assert all(same(backwards[i], first[i]) for i in reversed(range(9)))
    assert same(stream(disc, metal)[8], first[8])
    assert not same(stream(disc, metal, seed=6)[0], first[0])


def test_another_process_makes_the_same_pairs(tmp_path: Path) -> None:
    made = stream(disc_folder(tmp_path))
    expected = [made[i] for i in range(6)]
    assert len(pickle.dumps(made)) < 50_000
    loader = DataLoader(made, batch_size=None, sampler=range(6), num_workers=1)  # type: ignore[arg-type]
    assert all(same(one, other) for one, other in zip(loader, expected, strict=True))


def test_no_defect_leaves_the_object_and_the_trimap_tells_all_three(tmp_path: Path) -> None:
    folder = disc_folder(tmp_path)
    made = stream(folder, resolution="model")
    for pair in (made[i] for i in range(40)):
        values = set(np.unique(pair.trimap))
        assert values == {trimap.DEFECT, trimap.OBJECT, trimap.BACKGROUND}
        # The ground is dark (30) and the disc is bright (180): a spot of 90 on the ground shows.
        ground = pair.image[pair.trimap == trimap.BACKGROUND]
        assert (ground < 60).mean() > 0.99
        assert pair.image[pair.trimap == trimap.DEFECT].mean() < 140


def test_windows_too_show_no_defect_beside_the_object(tmp_path: Path) -> None:
    made = stream(disc_folder(tmp_path))
    pairs = [made[i] for i in range(40)]
    ground = np.concatenate([pair.image[pair.trimap == trimap.BACKGROUND] for pair in pairs])
    defect = np.concatenate([pair.image[pair.trimap == trimap.DEFECT] for pair in pairs])
    assert (ground < 60).mean() > 0.98
    assert defect.mean() < 140


def test_a_texture_has_no_background(tmp_path: Path) -> None:
    made = stream(metal_folder(tmp_path))
    assert all((made[i].trimap != trimap.BACKGROUND).all() for i in range(8))


def test_types_take_turns(tmp_path: Path) -> None:
    made = stream(disc_folder(tmp_path), metal_folder(tmp_path))
    types = [(made[i].object, made[i].defect) for i in range(6)]
    disc, blowhole, crack = ("disc", "spot"), ("metal", "blowhole"), ("metal", "crack")
    assert types == [disc, blowhole, blowhole, disc, crack, crack]


def test_a_defects_caption_is_its_prompt(tmp_path: Path) -> None:
    assert stream(disc_folder(tmp_path, "a dent left of the rim"))[0].prompt.startswith("a dent")
    assert stream(metal_folder(tmp_path))[0].prompt == "metal, blowhole"


def test_what_is_held_out_is_never_read(tmp_path: Path) -> None:
    folder = disc_folder(tmp_path)
    for item in folder.held_out:
        Path(item.image).unlink()
        Path(item.mask).unlink()
    made = stream(folder)
    assert [made[i].defect for i in range(12)] == ["spot"] * 12


def test_a_prepared_foreground_is_used(tmp_path: Path) -> None:
    folder = disc_folder(tmp_path)
    mask = np.zeros((192, 192), np.uint8)
    mask[100:180, 20:170] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    known = dict.fromkeys(folder.good, str(tmp_path / "mask.png"))
    pair = stream(replace(folder, foreground=known, surface="object"), resolution="model")[0]
    assert (pair.trimap[:49] == trimap.BACKGROUND).all()


def test_the_stream_has_a_beginning_and_no_end(tmp_path: Path) -> None:
    made = stream(metal_folder(tmp_path))
    assert made[10**9].object == "metal"
    with pytest.raises(IndexError, match="-1"):
        made[-1]


def test_an_object_without_defects_is_left_out_beside_others(tmp_path: Path) -> None:
    disc, metal = disc_folder(tmp_path), metal_folder(tmp_path)
    plain = replace(disc, defects=())
    made, alone = stream(plain, metal), stream(metal)
    assert all(same(made[i], alone[i]) for i in range(6))
    without_good = replace(plain, good=())
    assert same(stream(without_good, metal)[0], alone[0])


def test_a_data_set_that_gives_no_pair_is_refused_with_the_reason(tmp_path: Path) -> None:
    folder = disc_folder(tmp_path)
    with pytest.raises(PairFault, match=r"disc: .*no good picture"):
        stream(replace(folder, good=()))
    with pytest.raises(PairFault, match=r"disc: .*no defect"):
        stream(replace(folder, defects=()))
    Image.fromarray(np.zeros((192, 192), np.uint8)).save(tmp_path / "none.png")
    empty = dict.fromkeys(folder.good, str(tmp_path / "none.png"))
    with pytest.raises(PairFault, match="fits on its object"):
        stream(replace(folder, surface="object", foreground=empty))[0]
