"""The editor in a real browser: turns added, moved, removed, written as JSON; text is only text."""

import json

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

NASTY = '<img src=x onerror="alert(1)"> **b** 🦉 שלום\n  two spaces'


def raw(page):
    return page.get_by_label("Raw conversation (JSON)")


def turns(page) -> list[dict[str, str]]:
    """The conversation as the raw mode shows it."""
    page.get_by_role("button", name="Raw JSON").click()
    messages = json.loads(raw(page).input_value())
    page.get_by_role("button", name="Turns", exact=True).click()
    return messages


def test_turns_are_added_moved_given_another_role_and_removed(page):
    response = page.get_by_label("Response", exact=True)
    response.wait_for(timeout=30_000)
    start = turns(page)
    page.get_by_role("button", name="+ Add user turn").click()
    # A new turn has the cursor: typing goes there at once.
    page.keyboard.type("And then?")
    expect(page.get_by_role("alert")).to_contain_text("does not end with the assistant's turn")
    page.get_by_label("Role of turn 3").select_option("assistant")
    expect(response).to_have_value("And then?")
    page.get_by_role("button", name="Move turn 3 up").click()
    order = [message["content"] for message in turns(page)]
    assert order == [start[0]["content"], "And then?", start[1]["content"]]
    page.get_by_role("button", name="Remove turn 2").click()
    assert turns(page) == start


def test_raw_json_is_kept_while_it_is_broken_and_text_is_never_markup(page):
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    response = page.get_by_label("Response", exact=True)
    response.wait_for(timeout=30_000)
    response.fill(NASTY)
    page.get_by_role("button", name="Raw JSON").click()
    whole = raw(page).input_value()
    raw(page).fill(whole[:-1])
    expect(page.get_by_role("alert")).to_contain_text("Not JSON", timeout=15_000)
    page.get_by_role("button", name="Turns", exact=True).click()
    assert raw(page).input_value() == whole[:-1]
    raw(page).fill(whole)
    page.get_by_role("button", name="Turns", exact=True).click()
    expect(response).to_have_value(NASTY)
    # The history draws the text too: as text.
    expect(page.locator("span", has_text="<img src=x").first).to_be_visible(timeout=15_000)
    assert dialogs == []


def test_what_was_typed_survives_a_visit_to_another_page(page):
    response = page.get_by_label("Response", exact=True)
    response.wait_for(timeout=30_000)
    response.press("Control+End")
    response.press_sequentially(" Last words")
    text = response.input_value()
    # At once: the last letters have not been answered yet.
    page.get_by_role("link", name="Compare").first.click()
    expect(page.get_by_role("heading", name="Which model is right")).to_be_visible(timeout=15_000)
    expect(response).to_have_count(0)
    page.get_by_role("link", name="Playground").first.click()
    expect(response).to_have_value(text, timeout=15_000)
    assert page.get_by_test_id("stException").count() == 0
