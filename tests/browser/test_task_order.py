"""A visitor changes an effect and sees another order become the best, in a real browser."""

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000
SETTLED_MS = 120_000


def test_edit_the_matrix_and_see_the_best_order_change(page, server):
    expect(page.get_by_text("Edit the conversation")).to_be_visible(timeout=LOADED_MS)
    page.goto(f"{server.address}/task-order")
    page.get_by_text("Worked example of the formula", exact=True).click(timeout=LOADED_MS)
    expect(page.get_by_text("Predicted best: C > A > B")).to_be_visible(timeout=LOADED_MS)

    # The effect of C on A, -0.06: first column of numbers, third row of the right table.
    _type_into(page, page.get_by_test_id("stDataFrame").nth(1), column=3 / 8, row=3.5 / 4)
    # With +0.10 from C on A, A before both others gets 0.10 + 0.04 and C after A pays off.
    expect(page.get_by_text("Predicted best: A > C > B")).to_be_visible(timeout=SETTLED_MS)
    assert page.get_by_test_id("stException").count() == 0


def _type_into(page, grid, *, column, row):
    """Types 0.1 into a cell; a grid that is still being laid out ignores the first try."""
    typed = page.locator("#portal input")
    for _ in range(10):
        grid.scroll_into_view_if_needed()
        box = grid.bounding_box()
        page.mouse.dblclick(box["x"] + box["width"] * column, box["y"] + box["height"] * row)
        try:
            typed.wait_for(timeout=3_000)
        except api.TimeoutError:
            continue
        typed.fill("0.1")
        typed.press("Enter")
        return
    pytest.fail("the cell could not be opened")
