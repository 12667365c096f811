"""A visitor sees the reference's tokens coloured, changes the score, and has own traces read."""

import re

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000


def test_colour_the_references_tokens(page, server):
    expect(page.get_by_text("Edit the conversation")).to_be_visible(timeout=LOADED_MS)
    page.goto(f"{server.address}/verifier-free")
    strips = page.locator(".reference-tokens")
    expect(strips).to_have_count(5, timeout=LOADED_MS)  # without reasoning, and four traces
    tokens = strips.nth(1).locator("span")
    expect(tokens.first).to_have_attribute("title", re.compile(r"p = 0\.\d+.*product [+]"))
    expect(tokens.first).to_have_attribute("style", re.compile(r"background: ?rgba"))
    expect(page.get_by_text("gets the highest reward")).to_be_visible()
    expect(page.get_by_text("Over 64 problems this reward")).to_be_visible()
    highest = page.locator("td strong")
    before = highest.inner_text()
    page.get_by_test_id("stButtonGroup").get_by_text("product", exact=True).click()
    expect(page.get_by_text("by the gain in the product")).to_be_visible(timeout=LOADED_MS)
    expect(highest).not_to_have_text(before)

    page.get_by_text("My own question", exact=True).click()
    page.get_by_role("button", name="Read them").click(timeout=LOADED_MS)
    expect(strips).to_have_count(3, timeout=LOADED_MS)
    assert "".join(strips.nth(0).locator("span").all_inner_texts()) == "132"
    assert page.get_by_test_id("stException").count() == 0
