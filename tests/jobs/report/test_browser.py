"""The page in a real browser: from a file, on a phone, by keyboard, in the dark."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cluster.storage.location import Location
from jobs.report.evaluation import shown_of
from jobs.verbs.report import write_report
from tests.jobs.report.test_evaluation import ARMS, TABLE
from tests.jobs.report.test_page import HOSTILE
from tests.support.browsing import browser_or_skip, complaints
from tests.support.reported import HEIGHT, WIDTH, draw_reported, status_of

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.slow
COUNT, PAGE = 110, 48
PATIENCE = 10.0
PHONE, DESK = 390, 1280


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Location:
    return draw_reported(str(tmp_path_factory.mktemp("run") / "my pairs #1"), COUNT)


@pytest.fixture(scope="module")
def page(output: Location, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Beside the output, in another folder; some pairs have no thumbnail."""
    import json

    folder = Path(output.path).parent / "reports"
    (folder / "in").mkdir(parents=True)
    evaluation = folder / "in/evaluation.json"
    evaluation.write_text(json.dumps({"arms": ARMS, "table": TABLE}))
    assert shown_of({"arms": ARMS, "table": TABLE}, "").curves
    target = folder / "report.html"
    write_report(output.path, str(target), evaluation_uri=str(evaluation.parent), thumbnails=80)
    return target.as_uri()


@pytest.fixture(scope="module")
def desk() -> Iterator[Chrome]:
    with browser_or_skip(width=DESK) as browser:
        yield browser


@pytest.fixture
def at_desk(desk: Chrome, page: str) -> Chrome:
    """The page, freshly loaded."""
    desk.get("about:blank")
    desk.get(page)
    complaints(desk)
    return desk


def one(browser: Chrome, css: str) -> WebElement:
    return browser.find_element("css selector", css)


def cards(browser: Chrome) -> list[WebElement]:
    return browser.find_elements("css selector", "#cards .card")


def shown_ids(browser: Chrome) -> list[str]:
    return [card.get_attribute("title") or "" for card in cards(browser)]


def choose(browser: Chrome, select: str, text: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(one(browser, select)).select_by_visible_text(text)


def press(browser: Chrome, *keys: str) -> None:
    """Keys for whatever has the focus."""
    browser.switch_to.active_element.send_keys(*keys)


def until(said: Callable[[], Any]) -> Any:
    """Wait for something to be so."""
    end = time.monotonic() + PATIENCE
    while not (found := said()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def is_open(browser: Chrome) -> bool:
    return bool(browser.execute_script("return document.getElementById('viewer').open"))


def has_loaded(browser: Chrome, css: str) -> bool:
    script = "const i = document.querySelector(arguments[0]); return i.complete && i.naturalWidth"
    return browser.execute_script(script, css) == WIDTH


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_it_loads_without_a_complaint_or_a_scroll_bar_and_asks_nobody(
    width: int, scheme: str, page: str
) -> None:
    with browser_or_skip(width=width, scheme=scheme) as browser:
        browser.get(page)
        assert one(browser, "h1").text == "my pairs #1"
        assert len(cards(browser)) == PAGE
        for details in browser.find_elements("css selector", "details"):
            browser.execute_script("arguments[0].open = true", details)
        inner = browser.execute_script("return document.documentElement.scrollWidth")
        assert inner == width
        back = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert back == {"light": "rgb(250, 250, 248)", "dark": "rgb(18, 19, 21)"}[scheme]
        loaded = browser.execute_script(
            "return performance.getEntriesByType('resource').map((one) => one.name)"
        )
        assert [one for one in loaded if not one.startswith(("blob:", "data:", "file:"))] == []
        cards(browser)[0].click()
        until(lambda: has_loaded(browser, "#v-right"))
        inner = browser.execute_script("return document.getElementById('viewer').scrollWidth")
        assert inner <= width
        assert complaints(browser) == []


def test_filters_by_object_type_and_status(at_desk: Chrome) -> None:
    choose(at_desk, "#f-object", "cap")
    assert set(shown_ids(at_desk)) == {f"r{n:04d}" for n in range(COUNT) if n % 3 == 2}
    choose(at_desk, "#f-status", "rejected")
    wanted = {f"r{n:04d}" for n in range(COUNT) if n % 3 == 2 and status_of(n) == "rejected"}
    assert set(shown_ids(at_desk)) == wanted
    assert f"1–{len(wanted)} of {len(wanted)} that match ({COUNT} in all)" in at_desk.page_source
    choose(at_desk, "#f-defect", "hole")
    assert shown_ids(at_desk) == []
    assert one(at_desk, "#f-count").text.startswith("none")
    one(at_desk, "#f-reset").click()
    until(lambda: len(cards(at_desk)) == PAGE)
    assert complaints(at_desk) == []


def test_filters_by_the_judges_figures_and_by_text(at_desk: Chrome) -> None:
    one(at_desk, "#f-figures summary").click()
    low, high = at_desk.find_elements("css selector", "[data-name=seam] input")
    low.send_keys("3")
    high.send_keys("3.5")
    wanted = {f"r{n:04d}" for n in range(COUNT) if n % 7 == 2 and status_of(n) != "failed"}
    assert set(shown_ids(at_desk)) == wanted
    low.clear()
    high.clear()
    one(at_desk, "#f-text").send_keys("does NOT fit")
    failed = {f"r{n:04d}" for n in range(COUNT) if status_of(n) == "failed"}
    assert set(shown_ids(at_desk)) == failed
    one(at_desk, "#f-text").clear()
    one(at_desk, "#f-text").send_keys("r0042")
    assert shown_ids(at_desk) == ["r0042"]


def test_orders_by_a_figure_and_says_it(at_desk: Chrome) -> None:
    choose(at_desk, "#f-order", "coverage, lowest first")
    rejected = [n for n in range(COUNT) if status_of(n) == "rejected"]
    assert shown_ids(at_desk)[:5] == [f"r{n:04d}" for n in rejected[:5]]
    assert cards(at_desk)[0].find_element("css selector", ".which").text == "coverage 0.14"
    choose(at_desk, "#f-order", "request")
    assert shown_ids(at_desk) == [f"r{n:04d}" for n in range(PAGE)]


def test_pages_are_turned_and_hold_every_pair_once(at_desk: Chrome) -> None:
    seen = shown_ids(at_desk)
    for _ in range(2):
        one(at_desk, "#page-next").click()
        seen += shown_ids(at_desk)
    assert sorted(seen) == [f"r{n:04d}" for n in range(COUNT)]
    assert not one(at_desk, "#page-next").is_enabled()
    one(at_desk, "#page-number").clear()
    one(at_desk, "#page-number").send_keys("2\n")
    until(lambda: one(at_desk, "#f-count").text == f"49–96 of {COUNT}")


def test_a_pair_without_a_thumbnail_shows_its_full_picture(at_desk: Chrome) -> None:
    one(at_desk, "#page-number").clear()
    one(at_desk, "#page-number").send_keys("3\n")
    until(lambda: at_desk.find_elements("css selector", "#cards .tile img"))
    until(lambda: has_loaded(at_desk, "#cards .tile img"))
    assert complaints(at_desk) == []


def test_a_pair_is_looked_at_by_keyboard_alone(at_desk: Chrome) -> None:
    from selenium.webdriver.common.keys import Keys

    choose(at_desk, "#f-status", "ok")
    ids = shown_ids(at_desk)
    at_desk.execute_script("arguments[0].focus()", cards(at_desk)[0])
    press(at_desk, Keys.ARROW_RIGHT)
    press(at_desk, Keys.ENTER)
    assert one(at_desk, "#v-title").text == ids[1]
    until(lambda: has_loaded(at_desk, "#v-left") and has_loaded(at_desk, "#v-right"))
    slider = one(at_desk, "#v-slider")
    assert at_desk.switch_to.active_element == slider
    before = int(slider.get_attribute("value") or 0)
    press(at_desk, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    clip = at_desk.execute_script("return document.getElementById('v-right').style.clipPath")
    assert clip == f"inset(0px 0px 0px {before - 2}%)"
    press(at_desk, "n")
    assert one(at_desk, "#v-title").text == ids[2]
    press(at_desk, "p", "p")
    assert one(at_desk, "#v-title").text == ids[0]
    press(at_desk, "m")
    assert one(at_desk, "#v-tint-asked").is_displayed()
    assert one(at_desk, "#v-tint-refined").is_displayed()
    press(at_desk, Keys.ESCAPE)
    until(lambda: not is_open(at_desk))
    assert at_desk.switch_to.active_element == cards(at_desk)[1]
    assert complaints(at_desk) == []


def test_a_click_shows_full_resolution_around_it_and_another_the_whole(at_desk: Chrome) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    cards(at_desk)[0].click()
    until(lambda: has_loaded(at_desk, "#v-right"))
    frame = one(at_desk, "#frame")
    whole = frame.size["width"]
    ActionChains(at_desk).move_to_element_with_offset(frame, whole // 3, 0).click().perform()
    assert frame.size["width"] > whole
    assert frame.size["width"] % WIDTH == 0
    assert frame.size["height"] % HEIGHT == 0
    assert at_desk.execute_script("return document.getElementById('stage').scrollLeft") > 0
    one(at_desk, "#v-zoom").click()
    assert frame.size["width"] == whole


def test_the_back_button_closes_a_pair_and_its_address_opens_it(at_desk: Chrome, page: str) -> None:
    cards(at_desk)[3].click()
    assert is_open(at_desk)
    at_desk.back()
    until(lambda: not is_open(at_desk))
    at_desk.get("about:blank")
    at_desk.get(f"{page}#pair=r0007")
    assert one(at_desk, "#v-title").text == "r0007"
    one(at_desk, "#v-close").click()
    until(lambda: not is_open(at_desk))


def test_good_pictures_results_and_masks_can_be_put_side_by_side(at_desk: Chrome) -> None:
    choose(at_desk, "#f-status", "rejected")
    cards(at_desk)[0].click()
    names = [option.text for option in at_desk.find_elements("css selector", "#v-left-name option")]
    assert names == ["good picture", "result", "asked mask"]
    choose(at_desk, "#v-right-name", "asked mask")
    until(lambda: has_loaded(at_desk, "#v-right"))
    assert (one(at_desk, "#v-right").get_attribute("src") or "").endswith("_asked_mask.png")
    assert one(at_desk, "#v-reason").text.startswith("Why: coverage")
    assert "beyond" in (one(at_desk, "#v-figures td.n").get_attribute("class") or "")


def test_a_failed_request_says_why_and_has_no_slider(at_desk: Chrome) -> None:
    choose(at_desk, "#f-status", "failed")
    cards(at_desk)[0].click()
    assert "does not fit" in one(at_desk, "#v-reason").text
    assert not one(at_desk, "#v-slider").is_displayed()
    assert complaints(at_desk) == []


def test_hostile_texts_are_shown_as_they_are_and_do_nothing(desk: Chrome, tmp_path: Path) -> None:
    def spoil(row: dict[str, Any]) -> None:
        row["prompt"], row["defect"] = HOSTILE, HOSTILE.replace("/", "")
        if row.get("reason"):
            row["reason"] = HOSTILE

    draw_reported(str(tmp_path / "pairs"), 12, change=spoil, run={"model": HOSTILE})
    _, target = write_report(str(tmp_path / "pairs"))
    desk.get(Path(target.path).as_uri())
    choose(desk, "#f-status", "rejected")
    cards(desk)[0].click()
    facts = one(desk, "#v-facts dd").get_attribute("textContent")
    assert facts == HOSTILE
    assert one(desk, "#v-reason").get_attribute("textContent") == f"Why: {HOSTILE}"
    assert desk.find_elements("css selector", "img[onerror]") == []
    said = complaints(desk)
    assert [line for line in said if "ERR_FILE_NOT_FOUND" not in line] == []


def test_a_page_away_from_its_pictures_says_so_and_shows_thumbnails(
    desk: Chrome, page: str, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.html"
    alone.write_bytes(Path(page.removeprefix("file://")).read_bytes())
    desk.get(alone.as_uri())
    cards(desk)[0].click()
    until(lambda: "was not found" in one(desk, "#v-note").text)
    assert one(desk, "#v-tile").is_displayed()
