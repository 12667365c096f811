"""A visitor swaps the prompt and watches the preference hold or flip, in a real browser."""

import re

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000
SETTLED_MS = 20_000
MARGIN = re.compile(r"^[+-]\d+\.\d{3}$")
WORD = re.compile(r"(holds|flips|no preference left|no own preference)$")


def margins(page):
    return page.get_by_test_id("stMetricValue")


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def open_lab(page, server) -> None:
    """By its address, once the fixture's visit to the playground has been answered."""
    expect(page.get_by_text("Edit the conversation")).to_be_visible(timeout=LOADED_MS)
    page.goto(f"{server.address}/prompt-awareness")
    expect(page.get_by_text("Does the reward model read the prompt?")).to_be_visible(
        timeout=LOADED_MS
    )


def test_swap_the_prompt_and_watch_the_preference(page, server):
    open_lab(page, server)
    open_tab(page, "One pair, live")
    expect(margins(page).first).to_have_text(MARGIN, timeout=LOADED_MS)
    own = float(margins(page).first.inner_text())
    second = margins(page).nth(1)
    expect(second).to_have_text(MARGIN, timeout=SETTLED_MS)
    before = second.inner_text()

    field = page.get_by_label("Other prompt 1", exact=True)
    field.fill("Answer with one single word: what is the capital of France?")
    expect(second).not_to_have_text(before, timeout=SETTLED_MS)
    expect(second).to_have_text(MARGIN, timeout=SETTLED_MS)
    moved = float(second.inner_text())
    badge = field.locator("xpath=following::p").filter(has_text=WORD).first
    expect(badge).to_be_visible(timeout=SETTLED_MS)
    word = WORD.search(badge.inner_text()).group()
    if word == "flips":
        assert (own > 0) != (moved > 0)
    if word == "holds":
        assert (own > 0) == (moved > 0)

    # The own prompt typed out again gives the own margin: it is the prompt that moved it.
    asked = page.get_by_text("own prompt", exact=True).locator("xpath=following::div[@dir][1]")
    field.fill(asked.inner_text())
    expect(second).to_have_text(f"{own:+.3f}", timeout=SETTLED_MS)
    assert page.get_by_test_id("stException").count() == 0


def test_one_click_tells_the_cost_first_and_gives_the_measures_with_figures(page, server):
    open_lab(page, server)
    pairs = page.get_by_label("How many pairs", exact=True)
    expect(pairs).to_be_visible(timeout=LOADED_MS)
    pairs.fill("4")
    pairs.press("Enter")
    run = page.get_by_role("button", name=re.compile("Run: score"))
    expect(run).to_be_visible(timeout=LOADED_MS)
    expect(page.get_by_text(re.compile(r"tokens to read instead of"))).to_be_visible(
        timeout=LOADED_MS
    )
    run.click()
    expect(page.get_by_text("Retention", exact=True)).to_be_visible(timeout=LOADED_MS)
    expect(margins(page).first).to_have_text(re.compile(r"^-?\d+%$"), timeout=LOADED_MS)
    expect(page.locator(".js-plotly-plot").nth(1)).to_be_visible(timeout=SETTLED_MS)
    assert page.get_by_test_id("stException").count() == 0
