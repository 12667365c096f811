"""The first visitor of a fresh server follows a link to a page, in a real browser."""

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000


def test_a_link_to_a_page_opens_that_page_and_nothing_over_it(browser, fresh_server):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.goto(f"{fresh_server.address}/task-order")
        expect(page.get_by_text("Worked example of the formula", exact=True)).to_be_visible(
            timeout=LOADED_MS
        )
        expect(page.get_by_role("dialog")).to_have_count(0)
    finally:
        context.close()
