"""What a browser sends is checked: an edit is taken, anything else is nothing."""

import pytest

from app_pages.common import editor
from app_pages.common.editor import Acknowledgement, Edit, parse_edit

TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def sent(**changes):
    doc = {"client": "c1", "seq": 3, "base": 2, "settled": True, "messages": TURNS}
    return doc | changes


def test_edit_of_turns():
    expected = Edit(Acknowledgement("c1", 3), 2, True, tuple(TURNS), None)
    assert parse_edit(sent()) == expected


def test_edit_of_raw_text_keeps_it_as_typed():
    edit = parse_edit(sent(messages=None, raw="[{"))
    assert edit is not None
    assert edit.raw == "[{"
    assert edit.messages is None


def test_fields_beyond_role_and_content_are_dropped():
    edit = parse_edit(sent(messages=[{"role": "user", "content": "x", "html": "<script>"}]))
    assert edit is not None
    assert edit.messages == ({"role": "user", "content": "x"},)


@pytest.mark.parametrize(
    "doc",
    [
        None,
        "text",
        [],
        sent(client=5),
        sent(seq="3"),
        sent(base=None),
        sent(messages="text"),
        sent(messages=[{"role": "robot", "content": "x"}]),
        sent(messages=[{"role": "user", "content": 5}]),
        sent(messages=["text"]),
        sent(messages=None),
        sent(raw="[]"),
    ],
)
def test_anything_else_is_not_an_edit(doc):
    assert parse_edit(doc) is None


def test_a_text_beyond_the_limit_is_not_taken(monkeypatch):
    monkeypatch.setattr(editor, "MAX_CHARACTERS", 6)
    assert parse_edit(sent()) is None
    assert parse_edit(sent(messages=[{"role": "user", "content": "sixsix"}])) is not None


def test_no_part_of_the_editor_writes_text_as_html():
    source = (editor._FOLDER / "editor.js").read_text(encoding="utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in source
