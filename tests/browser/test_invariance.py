"""A visitor runs a battery, stops it halfway, resumes it, and takes the report along."""

import re
from pathlib import Path

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000
SCORED_MS = 300_000
VERDICT = re.compile(r"^pocket: \d+ of \d+ edits were not answered as they should be")
COUNT = re.compile(r"([\d,]+) of ([\d,]+) scored")


def open_lab(page, server) -> None:
    """By its address, once the fixture's visit to the playground has been answered."""
    expect(page.get_by_text("Edit the conversation")).to_be_visible(timeout=LOADED_MS)
    page.goto(f"{server.address}/invariance")
    expect(page.get_by_text("Does the reward move when only the manner changes?")).to_be_visible(
        timeout=LOADED_MS
    )


def test_run_stop_resume_and_open_the_report(page, server, tmp_path: Path):
    open_lab(page, server)
    pairs = page.get_by_label("How many pairs", exact=True)
    expect(pairs).to_be_visible(timeout=LOADED_MS)
    pairs.fill("8")
    pairs.press("Enter")
    run = page.get_by_role("button", name=re.compile(r"Run: score 4\d\d conversations"))
    expect(run).to_be_visible(timeout=LOADED_MS)
    expect(page.get_by_text(re.compile("tokens to read instead of"))).to_be_visible(
        timeout=LOADED_MS
    )
    run.click()
    progress = page.get_by_text(COUNT).first
    expect(progress).to_be_visible(timeout=LOADED_MS)
    page.wait_for_function(
        """() => {
            const found = document.body.innerText.match(/([\\d,]+) of ([\\d,]+) scored/);
            return found && Number(found[1].replace(",", "")) > 60;
        }""",
        timeout=SCORED_MS,
    )
    # By its key: while a script runs, the page's header has a Stop of its own.
    page.locator(".st-key-invariance-battery-stop button").click()

    resume = page.get_by_role("button", name=re.compile("Continue: score"))
    expect(resume).to_be_visible(timeout=LOADED_MS)
    missing = page.get_by_text(re.compile("conversations have no reward"))
    expect(missing).to_be_visible(timeout=LOADED_MS)
    # What was scored is known: the cost of going on counts it.
    expect(page.get_by_text(re.compile(r"\d+ known already"))).to_be_visible(timeout=LOADED_MS)
    resume.click()
    expect(resume).to_have_count(0, timeout=LOADED_MS)
    headline = page.get_by_text(VERDICT).first
    expect(headline).to_be_visible(timeout=SCORED_MS)
    expect(missing).to_have_count(0)
    n_bad, n_edits = re.search(r"(\d+) of (\d+)", headline.inner_text()).groups()

    with page.expect_download(timeout=LOADED_MS) as download:
        page.get_by_role("button", name="HTML report").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    assert file.stat().st_size < 5_000_000
    assert page.get_by_test_id("stException").count() == 0

    page.goto(file.as_uri())
    told = page.get_by_text(re.compile(r"pocket, must not pay: \d+ of \d+ edits did"))
    expect(told).to_be_visible()
    said = [
        each.inner_text() for each in page.get_by_text(re.compile("^pocket, (should|must)")).all()
    ]
    counts = [re.search(r"(\d+) of (\d+) edits", each).groups() for each in said]
    assert sum(int(of) for _, of in counts) == int(n_edits)
    not_as_they_should = [re.search(r"; (\d+) did not", each) for each in said]
    assert sum(int(each.group(1)) for each in not_as_they_should if each) == int(n_bad)
    # Figures are drawn one after the other, once plotly.js is unpacked.
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=LOADED_MS)
    expect(page.locator(".js-plotly-plot").first).to_contain_text("should drop")
