import numpy as np
import pytest

from adabldm.core.images import encode_png
from adabldm.core.mask_rule import MaskRule
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import read_picture
from jobs.embedded_model.packed import LOOKED_AT, pack, read_packed


@pytest.fixture
def item(tmp_path):
    folder = tmp_path / "a part"
    folder.mkdir()

    def picture(name, level):
        path = folder / f"{name}.png"
        path.write_bytes(encode_png(np.full((8, 8, 3), level, np.uint8)))
        return f"file://{path}"

    defects = [
        DefectImage(
            defect="crack",
            image=picture(f"crack {n}", 100 + n),
            mask=picture(f"mask {n}", 200 + n),
            group="7",
            mask_rule=MaskRule("value", (3, 5)),
        )
        for n in range(3)
    ]
    return ObjectFolder(
        name="part",
        good=tuple(picture(f"good {n}", n) for n in range(10)),
        test_good=tuple(picture(f"unseen {n}", 50 + n) for n in range(4)),
        defects=tuple(defects[:2]),
        held_out=tuple(defects[2:]),
        surface="object",
    )


def test_a_pack_holds_what_is_learned_from_and_nothing_that_is_held_out(tmp_path, item):
    count = pack([item], tmp_path / "pack")
    (back,) = read_packed(tmp_path / "pack")
    assert count == 10 + LOOKED_AT + 2 * 2
    assert len(list((tmp_path / "pack" / "files").iterdir())) == count
    assert (back.name, back.surface, back.held_out) == ("part", "object", ())
    assert [read_picture(uri)[0, 0, 0] for uri in back.good] == list(range(10))
    assert [read_picture(uri)[0, 0, 0] for uri in back.test_good] == [50, 51][:LOOKED_AT]
    for before, after in zip(item.defects, back.defects, strict=True):
        assert (after.defect, after.group, after.mask_rule) == ("crack", "7", before.mask_rule)
        assert read_picture(after.image)[0, 0, 0] == read_picture(before.image)[0, 0, 0]
        assert read_picture(after.mask)[0, 0, 0] == read_picture(before.mask)[0, 0, 0]


def test_a_pack_can_be_moved(tmp_path, item):
    pack([item], tmp_path / "pack")
    (tmp_path / "pack").rename(tmp_path / "elsewhere")
    (back,) = read_packed(tmp_path / "elsewhere")
    assert read_picture(back.good[3])[0, 0, 0] == 3


@pytest.mark.parametrize(("most", "kept"), [(None, 10), (10, 10), (5, 5), (4, 4), (1, 1)])
def test_of_many_good_pictures_some_are_packed(tmp_path, item, most, kept):
    pack([item], tmp_path / "pack", most)
    (back,) = read_packed(tmp_path / "pack")
    assert len(back.good) == kept
