"""Text of unknown origin comes out as it is: nothing in it becomes markup."""

import html
import re

import pytest

from app_pages.common.markup import Piece, heat_html, pieces_html, plain, table_html

NASTY = (
    '<img src=x onerror="alert(1)"> & </div><script>alert(2)</script> :red[x] **b** \u202eאבג 🎉'
)


def visible_text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize(
    "markup",
    [
        pieces_html([Piece(NASTY, "added", NASTY)]),
        heat_html([(NASTY, -1.0, NASTY)]),
        table_html([(NASTY,)], ("Check",)),
    ],
)
def test_nasty_text_is_shown_verbatim(markup):
    assert NASTY in visible_text(markup)
    assert "<img" not in markup
    assert "<script" not in markup
    # The quote that would end the title attribute stays inside it.
    assert 'onerror="' not in markup


def test_strongest_weight_has_the_full_colour_and_sign_decides_which():
    markup = heat_html([("a", 2.0, ""), ("b", -1.0, ""), ("c", 0.0, "")])
    assert "rgba(37,99,235,0.500)" in markup
    assert "rgba(217,119,6,0.250)" in markup
    assert markup.endswith("c</div>")


def test_no_weight_at_all_colours_nothing():
    assert "rgba" not in heat_html([("a", 0.0, ""), ("b", 0.0, "")])


@pytest.mark.parametrize("text", ["**bold**", "# title", "[a](http://b)", "`code`", "a_b_c", "$x$"])
def test_plain_escapes_every_mark(text):
    escaped = plain(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    marks = set("*#[]()`_$")
    assert all(escaped[i - 1] == "\\" for i, char in enumerate(escaped) if char in marks)


def test_plain_breaks_colour_icons_and_shortcodes():
    for text in (":red[x]", ":material/bolt:", ":smile:"):
        assert not re.search(r":[a-z]", plain(text).replace("\\", ""))


def test_plain_leaves_words_and_addresses_alone():
    assert plain("org/name at https://x").replace("\\", "") == "org/name at https://x"
