"""A report opened from its file, without a server and without a network."""

import numpy as np
import pandas as pd
import pytest

from core.figures.style import frame, literal
from core.manifest import make_manifest
from core.report import Section, build_report, write_report
from core.stats import Estimate

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = "<script>alert(1)</script>\u2028 & <img src=x onerror=alert(2)>"
LONG = "first line\n" + "long " * 60 + "end"
DRAWN_MS = 60_000


def write(folder) -> str:
    """A report with a figure, an estimate, a small table and one of several pages."""
    rng = np.random.default_rng(0)
    figure = frame("Margins & <b>", "x", "y").add_scatter(
        x=[1, 2, 3], y=[3, 1, 2], text=literal([EVIL] * 3), mode="markers"
    )
    small = pd.DataFrame(
        {"text": [EVIL, "beta", LONG, None], "margin": [2.0, np.nan, -10.5, 1 / 3]}
    )
    large = pd.DataFrame({"row": range(120), "value": rng.normal(size=120)})
    large["name"] = [f"item {place}" for place in large["row"]]
    text = build_report(
        [
            Section(
                f"Margins {EVIL}",
                estimates={"accuracy": Estimate(0.7, 0.6, 0.8, 0.95, 9, 9, "bootstrap", {})},
                figures=[figure],
                tables={"small": small, "large": large},
            )
        ],
        make_manifest("audit", [], seed=1, details={"file": EVIL}),
        f"print({EVIL!r})",
        f"Audit {EVIL}",
    )
    write_report(text, folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(params=["light", "dark"])
def report(request, browser, tmp_path):
    """The open report; dialogs, errors and requests to anywhere fail the test."""
    context = browser.new_context(offline=True, color_scheme=request.param)
    page = context.new_page()
    wrong: list[str] = []
    address = write(tmp_path)

    def on_request(sent) -> None:
        if sent.url != address and not sent.url.startswith(("blob:null/", "data:")):
            wrong.append(sent.url)

    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.on("request", on_request)
    page.goto(address)
    page.locator("svg.main-svg").first.wait_for(timeout=DRAWN_MS)
    yield page
    context.close()
    assert not wrong, wrong


def column(page, caption: str, place: int) -> list[str]:
    table = page.locator(".table", has=page.locator(".caption", has_text=caption))
    return table.locator(f"tbody tr > td:nth-child({place})").all_inner_texts()


def test_figure_is_drawn_tables_sort_and_injected_text_is_only_text(report) -> None:
    expect(report.locator("svg.main-svg .scatterlayer .point")).to_have_count(3)
    expect(report.get_by_role("group", name="Figure: Margins & <b>")).to_be_visible()
    expect(report.get_by_role("heading", level=1)).to_have_text(f"Audit {EVIL}")
    expect(report.locator("td span", has_text="<script>alert(1)</script>").first).to_have_text(EVIL)
    assert report.locator("img").count() == 0

    small = report.locator(".table", has=report.locator(".caption", has_text="small"))
    header = small.get_by_role("columnheader", name="margin")
    assert column(report, "small", 2) == ["2", "–", "-10.50", "0.3333"]
    header.get_by_role("button").click()
    assert column(report, "small", 2) == ["-10.50", "0.3333", "2", "–"]
    expect(header).to_have_attribute("aria-sort", "ascending")
    header.get_by_role("button").press("Enter")
    assert column(report, "small", 2) == ["2", "0.3333", "-10.50", "–"]
    expect(header).to_have_attribute("aria-sort", "descending")
    header.get_by_role("button").click()
    assert column(report, "small", 2) == ["2", "–", "-10.50", "0.3333"]
    assert header.get_attribute("aria-sort") is None

    fold = small.locator("details")
    expect(fold.locator("summary")).to_have_text("first line …")
    fold.locator("summary").click()
    expect(fold.locator(".whole")).to_be_visible()
    assert fold.locator(".whole").text_content() == LONG


def test_large_tables_turn_pages_search_and_save_what_is_found(report, tmp_path) -> None:
    large = report.locator(".table", has=report.locator(".caption", has_text="large"))
    status = large.locator(".status")
    expect(status).to_have_text("Rows 1 to 50 of 120")
    large.get_by_role("button", name="Next").click()
    large.get_by_role("button", name="Next").click()
    expect(status).to_have_text("Rows 101 to 120 of 120")
    assert column(report, "large", 3)[-1] == "item 119"
    large.get_by_role("searchbox").fill("ITEM 11")
    expect(status).to_have_text("Rows 1 to 11 of 11 found")
    with report.expect_download() as download:
        large.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "found.csv")
    found = pd.read_csv(tmp_path / "found.csv")
    assert found["name"].tolist() == ["item 11", *[f"item {n}" for n in range(110, 120)]]
    values = np.random.default_rng(0).normal(size=120)
    assert found["value"].tolist() == values[found["row"]].tolist()
    large.get_by_role("searchbox").fill("absent")
    expect(status).to_have_text("No row found")


def test_figures_are_saved_as_png_and_svg(report, tmp_path) -> None:
    for kind, beginning in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with report.expect_download() as download:
            report.get_by_role("button", name=f"Save figure 1 as {kind}").click()
        path = tmp_path / f"figure.{kind}"
        download.value.save_as(path)
        assert download.value.suggested_filename.endswith(f".{kind.lower()}")
        assert path.read_bytes().startswith(beginning)


def test_without_scripts_the_text_and_the_first_rows_are_there(browser, tmp_path) -> None:
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(write(tmp_path))
    assert column(page, "small", 2) == ["2", "–", "-10.50", "0.3333"]
    assert len(column(page, "large", 1)) == 50
    expect(page.locator(".waiting")).to_contain_text("drawn by a script")
    expect(page.locator("noscript p")).to_be_visible()
    context.close()


def test_a_browser_that_cannot_unpack_says_so(browser, tmp_path) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(write(tmp_path))
    expect(page.get_by_role("alert")).to_contain_text("too old to unpack", timeout=DRAWN_MS)
    assert column(page, "small", 2) == ["2", "–", "-10.50", "0.3333"]
    expect(page.locator(".waiting")).to_contain_text("could not be drawn")
    context.close()


def test_python_and_browser_show_numbers_alike(browser, tmp_path) -> None:
    rng = np.random.default_rng(5)
    numbers = np.concatenate([rng.normal(size=30) * 10.0 ** rng.integers(-9, 9, 30), [0.0, -7.0]])
    table = pd.DataFrame({"x": [*numbers, np.inf, -np.inf, np.nan]})
    write_report(build_report([Section("A", tables={"t": table})], {}), tmp_path / "r.html")
    shown = []
    for scripts in (False, True):
        context = browser.new_context(offline=True, java_script_enabled=scripts)
        page = context.new_page()
        page.goto((tmp_path / "r.html").as_uri())
        if scripts:
            expect(page.locator("th button")).to_be_enabled()
        shown.append(column(page, "t", 1))
        context.close()
    assert shown[0] == shown[1]
