"""A visitor watches a judge write and vote, in a real browser with the real small model."""

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000
SETTLED_MS = 30_000
WRITTEN_MS = 300_000


def test_watch_a_judge_write_and_vote(page, server):
    expect(page.get_by_text("Edit the conversation")).to_be_visible(timeout=LOADED_MS)
    page.goto(f"{server.address}/reasoning")
    expect(page.get_by_text("Can reward models benefit")).to_be_visible(timeout=LOADED_MS)
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Judge", exact=True).click(timeout=LOADED_MS)

    # Both orders appear while they are written, and what is whole is counted.
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible(timeout=SETTLED_MS)
    expect(page.get_by_text("Response A was shown first.")).to_be_visible(timeout=LOADED_MS)
    expect(page.get_by_text("Response B was shown first.")).to_be_visible(timeout=LOADED_MS)
    expect(page.get_by_text("judgements could not be read and do not count")).to_be_visible(
        timeout=WRITTEN_MS
    )
    assert page.get_by_test_id("stException").count() == 0
