"""Three journeys a visitor makes, in a real browser, against a real server and model."""

import re

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

FIRST_REWARD_MS = 90_000
SETTLED_MS = 15_000
NUMBER = re.compile(r"^-?\d+\.\d{3}$")


def response(page):
    return page.get_by_label("Response", exact=True)


def reward(page):
    return page.get_by_test_id("stMetricValue").first


def wait_for_reward(page) -> str:
    expect(reward(page)).to_have_text(NUMBER, timeout=FIRST_REWARD_MS)
    return reward(page).inner_text()


def type_at_end(page, text: str) -> None:
    response(page).press("Control+End")
    response(page).press_sequentially(text, delay=35)


def version(page, name: str):
    return page.get_by_test_id("stRadio").get_by_text(name)


def no_error(page) -> None:
    assert page.get_by_test_id("stException").count() == 0


def test_type_and_see_the_number_move(page):
    before = wait_for_reward(page)
    text = response(page).input_value()
    added = " Bananas are yellow. Nobody asked, and I do not care."
    type_at_end(page, added)
    # No keystroke lost and none out of place: the cursor never jumped while rewards came in.
    assert response(page).input_value() == text + added
    expect(reward(page)).not_to_have_text(before, timeout=SETTLED_MS)
    moved = wait_for_reward(page)
    assert response(page).input_value() == text + added

    # Typing in the middle of the text stays in the middle.
    response(page).press("Home")
    response(page).press("Control+Home")
    response(page).press_sequentially("Well: ", delay=35)
    assert response(page).input_value() == "Well: " + text + added
    expect(reward(page)).not_to_have_text(moved, timeout=SETTLED_MS)

    # The old text has its old number again: it is the model's number, not the way there.
    response(page).fill(text)
    expect(reward(page)).to_have_text(before, timeout=SETTLED_MS)
    no_error(page)


def test_pin_edit_diff_and_go_back(page):
    wait_for_reward(page)
    original = response(page).input_value()
    expect(version(page, "v2 add flattery")).to_be_visible(timeout=SETTLED_MS)
    page.get_by_role("button", name="Pin as baseline").click()
    expect(page.get_by_test_id("stMetric").first).to_contain_text(
        "vs baseline v2", timeout=SETTLED_MS
    )

    type_at_end(page, " Purple zebras.")
    expect(version(page, "v3 edit")).to_be_visible(timeout=SETTLED_MS)
    inserted = page.locator("span[style*='underline']", has_text="Purple zebras.")
    expect(inserted).to_be_visible(timeout=SETTLED_MS)

    version(page, "v2 add flattery").click()
    page.get_by_role("button", name="Go back to it").click()
    expect(response(page)).to_have_value(original, timeout=SETTLED_MS)
    expect(page.get_by_test_id("stMetricDelta").first).to_contain_text("+0.000")
    # Nothing is lost: the edit is still there to go back to.
    expect(version(page, "v3 edit")).to_be_visible()
    no_error(page)


def test_share_link_shows_the_same_numbers_in_a_fresh_browser(page, browser, server):
    wait_for_reward(page)
    type_at_end(page, " <b>Owls</b> & 🦉 שלום.")
    expect(version(page, "v3 edit")).to_be_visible(timeout=SETTLED_MS)
    page.get_by_role("button", name="Share").click()
    link = page.get_by_test_id("stCode").locator("code").first
    expect(link).to_contain_text("?s", timeout=SETTLED_MS)
    address = link.inner_text().strip()
    page.keyboard.press("Escape")
    numbers = page.get_by_test_id("stMetricValue").all_inner_texts()
    text = response(page).input_value()

    context = browser.new_context(viewport={"width": 1440, "height": 900})
    fresh = context.new_page()
    fresh.goto(address)
    wait_for_reward(fresh)
    expect(response(fresh)).to_have_value(text)
    for position, number in enumerate(numbers):
        shown = fresh.get_by_test_id("stMetricValue").nth(position)
        expect(shown).to_have_text(number, timeout=SETTLED_MS)
    expect(fresh.get_by_test_id("stMetric").first).to_contain_text("vs baseline v1")
    expect(version(fresh, "v3 edit")).to_be_visible(timeout=SETTLED_MS)
    no_error(fresh)
    context.close()
