"""Does the page of `accelsim report` work in a real browser, and show what the runs say?"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from accelsim.cli import main
from accelsim.report import compare
from accelsim.report.findings import Advised, sweep_findings
from accelsim.report.page import ShownSweep, page_text
from accelsim.run.simulate import simulate
from accelsim.sweeps.sweep import header

GOOD = Path(__file__).parents[1] / "invalid" / "good"
PHONE, DESKTOP = (390, 844), (1440, 900)
SIZES = [(10, 5), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((30, 50), (90, 500), (330, 2000)))]
"""Layers of a run and points of a sweep in one page."""
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
in_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER) and not os.environ.get("CI"), reason="needs Debian's chromium and chromium-driver"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, a sweep and their page."""
    folder = tmp_path_factory.mktemp("report")
    assert main(["run", "mobilenet_v1_0.25_128", "edge", "-o", str(folder / "a")]) == 0
    assert main(["run", "mobilenet_v1_0.25_128", "edge", "--set", "array.dataflow=os", "-o", str(folder / "b")]) == 0
    line = ["sweep", "--network", "mobilenet_v1_0.25_128", "--hw", "edge", "--vary", "array.rows=8,16"]
    assert main([*line, "-o", str(folder / "sweep")]) == 0
    line = ["report", *(str(folder / name) for name in ("a", "b", "sweep"))]
    assert main([*line, "-o", str(folder / "report.html")]) == 0
    return folder


@pytest.fixture(scope="module")
def browser(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Chromium, showing the page from disk."""
    assert CHROMIUM
    assert DRIVER
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options, Service(DRIVER)) as driver:
        driver.set_window_size(*DESKTOP)
        driver.get((folder / "report.html").as_uri())
        yield driver


def cells(browser: webdriver.Chrome, table: str, column: int) -> list[str]:
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, f"#{table} tbody td:nth-child({column})")]


@in_browser
def test_it_loads_without_an_error(browser: webdriver.Chrome) -> None:
    """Nothing on the console, nothing fetched."""
    assert browser.get_log("browser") == []
    assert browser.find_elements(By.CSS_SELECTOR, "h2")
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


@in_browser
def test_it_shows_the_totals_of_the_runs(browser: webdriver.Chrome, folder: Path) -> None:
    """All of them, in full, and the difference between the two."""
    for number, name in enumerate("ab"):
        totals = json.loads((folder / name / "run.json").read_text())["totals"]
        shown = browser.find_elements(By.CSS_SELECTOR, f'[data-run="{number}"]')
        found = {each.get_attribute("data-total"): each.get_attribute("data-value") for each in shown}
        assert {key: json.loads(value or "") for key, value in found.items()} == totals
    first, second = (json.loads((folder / n / "run.json").read_text())["totals"]["total_cycles"] for n in "ab")
    row = browser.find_element(By.CSS_SELECTOR, '[data-run="1"][data-total="total_cycles"]').find_element(
        By.XPATH, ".."
    )
    assert f"{first:,}" in browser.find_element(By.CSS_SELECTOR, '[data-run="0"][data-total="total_cycles"]').text
    assert row.text == f"{second:,} {100 * (second / first - 1):+.1f} %"


@in_browser
def test_tables_sort(browser: webdriver.Chrome) -> None:
    """Numbers as numbers, down and then up; the layers come in their order before. A group's totals are above its
    members, which stay below them."""
    header = browser.find_elements(By.CSS_SELECTOR, "#layers thead th")
    place = [each.text for each in header].index("total_cycles") + 1
    layers, blocks = layer_blocks(browser, place)
    assert layers[0].startswith("conv1..")
    assert layers[1] == "conv1"
    button = header[place - 1].find_element(By.TAG_NAME, "button")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    for sign in (-1, 1):
        button.click()
        again, sorted_blocks = layer_blocks(browser, place)
        assert set(again) == set(layers)
        firsts = [block[0] for block in sorted_blocks]
        assert firsts == sorted(firsts, key=lambda value, sign=sign: sign * value)
        for first, *members in sorted_blocks:
            assert members == sorted(members, key=lambda value, sign=sign: sign * value)
            assert not members or sum(members) == first
        assert sorted(map(len, sorted_blocks)) == sorted(map(len, blocks))
    assert len(firsts) > 5


def layer_blocks(browser: webdriver.Chrome, column: int) -> tuple[list[str], list[list[int]]]:
    """Names of the rows of the table of layers, and a column of it: of each group its total and its members."""
    rows = browser.find_elements(By.CSS_SELECTOR, "#layers tbody tr")
    values = [int(text.replace(",", "")) for text in cells(browser, "layers", column)]
    blocks: list[list[int]] = []
    for row, value in zip(rows, values, strict=True):
        if row.get_attribute("class") == "member":
            blocks[-1].append(value)
        else:
            blocks.append([value])
    return cells(browser, "layers", 1), blocks


@in_browser
def test_values_stand_where_the_pointer_rests(browser: webdriver.Chrome) -> None:
    bars = browser.find_elements(By.CSS_SELECTOR, "svg[aria-label='Energy by component'] rect")
    bar = max(bars, key=lambda each: float(each.get_attribute("height") or 0))
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", bar)
    ActionChains(browser).move_to_element(bar).perform()
    shown = browser.find_element(By.ID, "hover").text
    assert shown.startswith(f"{bar.get_attribute('data-name')}\nDRAM: ")
    assert shown.endswith(" uJ")


@in_browser
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_holds_together_at_any_width(browser: webdriver.Chrome, size: tuple[int, int]) -> None:
    """The page does not scroll sideways; what is wider scrolls within its frame."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE},
    )
    wide, window = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert window == size[0]
    assert wide <= window


@in_browser
def test_a_sweep_is_a_table_and_points(browser: webdriver.Chrome) -> None:
    assert cells(browser, "sweep0", 4) == ["8", "16"]
    assert len(browser.find_elements(By.CSS_SELECTOR, "svg[aria-label=points] circle")) == 2
    marks = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "svg[aria-label=points] text")]
    (front,) = re.findall(r"(\d) of 2 points", browser.find_element(By.ID, "main").text)
    assert sum(text in ("0", "1") for text in marks) == int(front)


@in_browser
def test_it_opens_with_the_findings(browser: webdriver.Chrome) -> None:
    """What it costs and what limits it, in units that people read, in front of pictures and tables."""
    assert browser.find_element(By.TAG_NAME, "h2").text == "Findings"
    found = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".findings li")]
    assert found[0].startswith("mobilenet_v1_0.25_128 on edge takes ")
    assert " us and " in found[0]
    assert any(text.startswith(("It is limited by", "Nothing limits it")) for text in found)
    assert any("assumed" in text.lower() for text in found)


@in_browser
def test_a_layer_lights_up_everywhere(browser: webdriver.Chrome) -> None:
    row = browser.find_element(By.CSS_SELECTOR, "#layers tbody tr:not(.group)")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", row)
    ActionChains(browser).move_to_element(row).perform()
    lit = browser.execute_script("return [...document.querySelectorAll('.lit')].map(each => each.dataset.name)")
    assert set(lit) == {row.get_attribute("data-name")}
    assert len(lit) > 3


@in_browser
def test_tables_are_filtered_by_words(browser: webdriver.Chrome) -> None:
    search = browser.find_element(By.XPATH, "//*[@id='layers']/../preceding-sibling::div//input")
    search.send_keys("dwconv dw1")
    assert {text[:3] for text in cells(browser, "layers", 1)} == {"dw1"}
    assert "of 33 rows" in search.find_element(By.XPATH, "..").text
    search.clear()
    search.send_keys(" ")
    assert len(cells(browser, "layers", 1)) == 33


@in_browser
def test_points_are_selected_by_dragging(browser: webdriver.Chrome) -> None:
    """The table keeps those inside the rectangle; a click takes all again."""
    mark = browser.find_element(By.CSS_SELECTOR, "svg[aria-label=points] circle")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", mark)
    drag = ActionChains(browser).move_to_element_with_offset(mark, -12, -12).click_and_hold()
    drag.move_by_offset(24, 24).release().perform()
    assert len(cells(browser, "sweep0", 1)) == 1
    assert "1 of 2 points" in browser.find_element(By.CSS_SELECTOR, ".note").text
    ActionChains(browser).move_by_offset(20, 0).click().perform()
    assert len(cells(browser, "sweep0", 1)) == 2


@in_browser
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize(("layers", "points"), SIZES)
def test_large_pages_hold_together(
    layers: int, points: int, size: tuple[int, int], browser: webdriver.Chrome, tmp_path: Path
) -> None:
    """Of 10 to 330 layers and 5 to 2,000 points: no error, the structure is whole, nothing scrolls sideways."""
    run = simulate(GOOD / "net.yaml", GOOD / "machine.yaml")
    many = replace(run, records=tuple(replace(run.records[0], layer=f"layer{n}") for n in range(layers)))
    columns = header(["array.rows"])
    rows = [[n, "a", "m", n % 7, None, *([n * 1.123456789 + place + 1 for place in range(len(columns) - 5)])]
            for n in range(points)]  # fmt: skip
    text = page_text([many], [ShownSweep("s", "0", columns, rows, (0, 1, 2, 3))])
    assert len(text.encode()) < 2 << 20
    page = tmp_path / "page.html"
    page.write_text(text)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE},
    )
    browser.get(page.as_uri())
    found = browser.execute_script(
        "const many = path => document.querySelectorAll(path).length;"
        "return [many('#layers tbody tr'), many('svg[aria-label=points] circle'), many('#sweep0 tbody tr'),"
        " document.documentElement.scrollWidth <= innerWidth]"
    )
    names = browser.execute_script(NAMES)
    errors = [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert (found, errors) == ([layers, points, points, True], [])
    assert names == [3 * layers, 0, 0]


def test_a_sweep_has_findings() -> None:
    """The best points of each network, by their settings, and how many failed."""
    costs = ((2.0, 5e6), (1.0, 7e6), (None, None), (3.0, 4e6))
    points = [
        {"point": number, "network": "ab"[number // 3], "machine": "m", "array.rows": 8 << number,
         "array.dataflow": "ws", "error": None if latency else "no", "latency_ms": latency, "energy_total_pj": energy}
        for number, (latency, energy) in enumerate(costs)
    ]  # fmt: skip
    assert sweep_findings(points, ["array.rows", "array.dataflow"]) == [
        "a: point 1 (rows=16 ws) is the quickest, 1 ms and 7 uJ; "
        "point 0 (rows=8 ws) takes least energy, 2 ms and 5 uJ.",
        "b: point 3 (rows=64 ws) is the quickest and takes least energy, 3 ms and 4 uJ.",
        "1 of 4 points have an error instead of results.",
    ]


def test_a_recommendation_comes_first_and_points_outside_its_budgets_are_not_praised() -> None:
    costs = ((2.0, 5e6), (1.0, 7e6), (3.0, 4e6))
    points = [
        {"point": number, "network": "a", "machine": "m", "array.rows": 8 << number, "error": None,
         "latency_ms": latency, "energy_total_pj": energy, "energy_low_pj": energy / 2, "energy_high_pj": energy * 2,
         "average_power_mw": energy / latency / 1e6, "chip_power_mw": 1.0, "area_mm2": 0.5}
        for number, (latency, energy) in enumerate(costs)
    ]  # fmt: skip
    advised = Advised(["edge rows=8: least edp", "edp 10 uJ ms", "keeps area_mm2 <= 1"], [0], {1})
    assert sweep_findings(points, ["array.rows"], advised) == [
        "Recommended: edge rows=8: least edp.",
        "a: point 0 takes 2 ms and 5 uJ (2.5 uJ to 10 uJ by the ranges of prices); 2.5 mW with DRAM, "
        "1 mW of it the chip; 0.5 mm2.",
        "edp 10 uJ ms.",
        "keeps area_mm2 <= 1.",
        "a: point 0 (rows=8) is the quickest, 2 ms and 5 uJ; point 2 (rows=32) takes least energy, 3 ms and 4 uJ.",
        "1 of 3 points are outside the budgets.",
    ]


def test_points_with_batches_are_compared_by_the_image() -> None:
    common = {"network": "a", "machine": "m", "error": None, "inferences": 1}
    points = [
        {**common, "point": 0, "network.batch": 1, "batch": 1, "latency_ms": 1.0, "energy_total_pj": 5e6},
        {**common, "point": 1, "network.batch": 4, "batch": 4, "latency_ms": 3.0, "energy_total_pj": 16e6},
    ]
    assert sweep_findings(points, ["network.batch"]) == [
        "a: point 1 (batch=4) is the quickest and takes least energy, 750 us and 4 uJ an image."
    ]


@in_browser
def test_a_sweep_has_curves_and_marks(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """A line a network against a setting, and no number on another; a ring at what is recommended, circles that are
    empty outside the budgets, and columns named without the unit that their values have."""
    columns = header(["sram.weight.capacity"])
    plain = {"machine": "m", "batch": 1, "inferences": 1, "average_power_mw": 1.0}
    numbers = {"latency_ms": 1.0, "energy_total_pj": 5e6, "dram_burst_bytes": 4096, "total_cycles": 9}
    rows = [
        [{**plain, "point": n, "network": "ab"[n % 2], "sram.weight.capacity": f"{8 << n // 2}KiB"}.get(
            name, numbers[name] * (1 + n) if name in numbers else None) for name in columns]
        for n in range(6)
    ]  # fmt: skip
    advised = Advised(["m: least"], [0, 1], {4, 5})
    page = tmp_path / "page.html"
    page.write_text(page_text([], [ShownSweep("s", "0", columns, rows, (0, 1, 2, 3), advised)], title="Mine"))
    browser.get(page.as_uri())
    assert browser.title == "Mine"
    many = "const many = path => document.querySelectorAll(path).length;"
    counts = browser.execute_script(
        f"{many} return [many('.small svg'), many('.curve'), many('.of-curve'), many('circle.chosen'),"
        " many('circle.outside'), many('#sweep0 tr.chosen'), many('#sweep0 tr.outside')]"
    )
    assert counts == [3, 6, 12, 2, 2, 2, 2]
    heads = [each.text for each in browser.find_elements(By.CSS_SELECTOR, "#sweep0 thead th")]
    assert {"latency", "energy_total", "sram.weight.capacity"} <= set(heads)
    assert cells(browser, "sweep0", 1 + heads.index("sram.weight.capacity"))[:3] == ["8 KiB", "8 KiB", "16 KiB"]
    assert browser.execute_script(OVERLAPS) == []
    assert browser.get_log("browser") == []


OVERLAPS = """
const found = [];
for (const picture of document.querySelectorAll("figure svg")) {
  const texts = [...picture.querySelectorAll("text")].map(each => [each.textContent, each.getBoundingClientRect()]);
  texts.forEach(([one, a], place) => texts.slice(place + 1).forEach(([other, b]) => {
    const apart = a.left >= b.right - 1 || b.left >= a.right - 1 || a.top >= b.bottom - 1 || b.top >= a.bottom - 1;
    if (!apart) found.push([one, other]);
  }));
}
return found;
"""
"""Pairs of texts of a picture that cover each other."""


def test_a_comparison_is_shown_like_a_sweep(tmp_path: Path) -> None:
    rows = ["edge,8,50.5", "edge,4,"]
    names = [column.name for column in compare.COLUMNS]
    values = [dict(zip(("machine", "time_per_image_ms", "top1_pct"), row.split(","), strict=True)) for row in rows]
    lines = [",".join({**value, "network": f"n{n}"}.get(name, "") for name in names) for n, value in enumerate(values)]
    (tmp_path / "compare.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "page.html")]) == 0
    data = json.loads((tmp_path / "page.html").read_text().partition('id="data">')[2].partition("</script>")[0])
    assert data["sweeps"][0]["findings"] == [
        "n1 is the quickest: 4 ms an image.", "n0 is the most accurate: 50.5 % top-1."
    ]  # fmt: skip
    (tmp_path / "compare.csv").write_text("network\n\x1b[31m\n")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "other.html")]) == 2


NAMES = """
let covered = 0, outside = 0, count = 0;
for (const picture of document.querySelectorAll("figure svg")) {
  const frame = picture.getBoundingClientRect();
  const boxes = [...picture.querySelectorAll(".name")].map(each => each.getBoundingClientRect());
  boxes.forEach((box, place) => {
    count++;
    if (place && box.left < boxes[place - 1].right - 1) covered++;
    if (box.left < frame.left || box.right > frame.right + 1 || box.bottom > frame.bottom) outside++;
  });
}
return [count, covered, outside];
"""
"""How many names bars have, and of those how many cover the one before or are outside of their picture."""


@in_browser
def test_fills_are_told_apart_by_hatches(browser: webdriver.Chrome, folder: Path) -> None:
    """Every fill of a bar is there, and no two parts of a picture have the same."""
    browser.get((folder / "report.html").as_uri())
    missing, fills = browser.execute_script(
        "const fills = [...document.querySelectorAll('figure')].filter(each => each.querySelector('.name')).map(each =>"
        " [...each.querySelectorAll('.legend rect')].map(rect => rect.getAttribute('fill')));"
        "const there = fill => !fill.startsWith('url') || document.getElementById(fill.slice(5, -1));"
        "return [fills.flat().filter(fill => !there(fill)), fills]"
    )
    assert missing == []
    assert len(fills) == 2 * 3
    for each in fills:
        assert len(set(each)) == len(each)


def test_names_of_strangers_are_only_text(tmp_path: Path) -> None:
    """No text can end the element that holds the data."""
    text = (GOOD / "net.yaml").read_text() + "description: '</script><script>alert(1)</script><!--'\n"
    (tmp_path / "net.yaml").write_text(text)
    run = simulate(tmp_path / "net.yaml", GOOD / "machine.yaml")
    page = page_text([run])
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "\\u003c/script>\\u003cscript>alert(1)" in page


def test_the_same_runs_give_the_same_page(folder: Path) -> None:
    line = ["report", *(str(folder / name) for name in ("a", "b", "sweep")), "-o", str(folder / "again.html")]
    assert main(line) == 0
    assert (folder / "again.html").read_bytes() == (folder / "report.html").read_bytes()
    assert "http://" not in (folder / "again.html").read_text().replace("http://www.w3.org/2000/svg", "")
