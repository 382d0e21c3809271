"""Whatever an evaluation's JSON holds is drawn as far as it makes sense, and never fails a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adabldm.core.faults import InputFault
from cluster.storage.location import Location
from jobs.report.evaluation import read, shown_of

ARMS = [
    {
        "arm": arm,
        "detector": "unet",
        "pictures": pictures,
        "shots": shots,
        "seed": seed,
        "figures": {"pixel_ap": 0.5 + 0.0001 * pictures + 0.01 * shots + 0.02 * seed},
    }
    for arm, places in {"ours": ((0, 5), (100, 5), (1000, 5), (1000, 1)), "few": ((0, 5),)}.items()
    for pictures, shots in places
    for seed in (0, 1)
]
TABLE = [
    {"arm": "few", "figure": "pixel_ap", "type": None, "mean": 0.5, "spread": 0.01},
    {
        "arm": "ours",
        "figure": "pixel_ap",
        "type": None,
        "mean": 0.55,
        "spread": 0.02,
        "difference": 0.05,
        "low": 0.01,
        "high": 0.09,
    },
    {"arm": "ours", "figure": "pixel_ap", "type": "crack", "mean": 0.4},
]


def test_the_table_is_in_percent_with_intervals_around_no_difference() -> None:
    shown = shown_of({"arms": ARMS, "table": TABLE}, "here")
    (table,) = shown.tables
    few, ours = table.cells
    assert (few.mean, few.spread, few.difference, few.at) == ("50.0", "± 1.0", "", None)
    assert (ours.mean, ours.difference, ours.interval) == ("55.0", "+5.0", "+1.0 to +9.0")
    assert ours.sure
    assert table.zero is not None
    assert table.zero < ours.low_at < ours.at < ours.high_at
    (by_type,) = shown.by_type
    assert (by_type.types, by_type.rows) == (["crack"], [("ours", ["40.0"])])


def test_curves_are_of_arms_with_more_than_one_place_and_means_over_seeds() -> None:
    pictures, shots = shown_of({"arms": ARMS, "table": []}, "here").curves
    assert [tick.label for tick in pictures.x_ticks] == ["0", "100", "1,000"]
    (ours,) = pictures.series
    assert (ours.name, len(ours.points)) == ("ours", 3)
    assert ours.points[0].label == "0: 56.0 (55.0 to 57.0, 2 seeds)"
    assert [tick.label for tick in shots.x_ticks] == ["1", "5"]
    assert shots.series[0].colour == ours.colour


def test_the_figures_of_a_detectors_score_maps_are_a_table_too() -> None:
    content = {"pixel_ap": 0.5, "iap": 0.25, "by_type": {"crack": {"pixel_ap": 0.4}}}
    shown = shown_of(content, "here")
    assert [(table.figure, table.cells[0].mean) for table in shown.tables] == [
        ("pixel_ap", "50.0"),
        ("iap", "25.0"),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["arm", "figure", "type", "mean", "low", "high", "figures", "pixel_ap"])
            | st.sampled_from(["pictures", "shots", "arms", "table", "difference", "by_type"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(st.lists(JSON, max_size=4), st.lists(JSON, max_size=4), JSON)
def test_no_content_fails_the_page_and_what_is_sound_is_drawn(
    arms: list[Any], table: list[Any], more: Any
) -> None:
    shown = shown_of({"arms": [*arms, *ARMS[:3]], "table": [*table, *TABLE[:1]]}, "here")
    assert shown.trials >= 3
    assert shown.tables or shown.by_type
    broken = shown_of({"arms": arms, "table": table, "by_type": more, "pixel_ap": more}, "here")
    assert broken.trials <= len(arms)


REFUSED = {
    "nothing": (None, "does not exist"),
    "no JSON": (b"{", "is not JSON"),
    "a list": (b"[]", "not an object"),
    "another file": (b'{"a": 1}', "has neither a 'table' nor 'arms'"),
    "nested": (b"[" * 100_000, "is not JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_evaluation_is_refused_by_name(name: str, tmp_path: Path) -> None:
    content, told = REFUSED[name]
    if content is not None:
        (tmp_path / "evaluation.json").write_bytes(content)
    with pytest.raises(InputFault, match=told) as caught:
        read(Location.of(str(tmp_path)))
    assert "evaluation.json" in str(caught.value)


def test_the_folder_or_the_file_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps({"table": TABLE}))
    assert read(Location.of(str(tmp_path))) == read(Location.of(str(file)))
