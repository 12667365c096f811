"""The tabs below the editor: attributions by formula, what a model reads, nothing deprecated."""

import html
import json
import logging
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common import details, model_view
from app_pages.common.attribution import heat_pieces
from app_pages.common.model_view import token_pieces
from core.engine.attribution import Attribution
from core.engine.templating import EncodedConversation
from core.models.base import TokenSequence
from tests.pages.conftest import answer, typed, until_measured

TABS = (details.HISTORY, details.WORDS, details.READING, details.EXPORT)


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state["tab"] = tab
    test.session_state["details-waits"] = True
    return until_measured(test.run())


def shown(test: AppTest) -> str:
    return " ".join(element.value for element in test.html)


def test_leaving_a_sentence_out_costs_its_words(playground: AppTest):
    typed(playground, *answer("One two three. Four five."))
    opened(playground, details.WORDS)
    hints = re.findall(r'title="([^"]*)"', shown(playground))
    assert hints == ["+3.000", "+2.000"]


def test_a_model_without_gradients_says_so_beside_the_other_opinion(playground: AppTest):
    opened(playground, details.WORDS)
    assert any("gives no gradients" in text.value for text in playground.text)
    assert "title=" in shown(playground)


def test_words_are_left_out_only_on_request_and_the_cost_is_told_first(playground: AppTest):
    typed(playground, *answer("one two three four"))
    playground.session_state["attribution-unit"] = "Words"
    opened(playground, details.WORDS)
    assert any("4 readings of the conversation" in c.value for c in playground.caption)
    assert "title=" not in shown(playground)
    playground.button(key="attribution-go").click()
    until_measured(playground.run())
    assert re.findall(r'title="([^"]*)"', shown(playground)) == ["+1.000"] * 4


def test_trace_is_the_reward_after_each_sentence(playground: AppTest):
    typed(playground, *answer("One two three. Four five. Six."))
    opened(playground, details.WORDS)
    chart = json.loads(playground.get("plotly_chart")[0].proto.spec)
    assert list(values(chart["data"][0]["y"])) == [3.0, 5.0, 6.0]


def values(series) -> np.ndarray:
    """The numbers of a Plotly series, which may travel as base64."""
    import base64

    if isinstance(series, list):
        return np.array(series)
    return np.frombuffer(base64.b64decode(series["bdata"]), dtype=series["dtype"])


def test_an_empty_response_has_nothing_to_leave_out(playground: AppTest):
    typed(playground, *answer(""))
    opened(playground, details.WORDS)
    assert any("nothing to leave out" in caption.value for caption in playground.caption)


def test_a_model_that_reads_no_tokens_says_so(playground: AppTest):
    opened(playground, details.READING)
    assert any("no tokens to show" in text.value for text in playground.text)


@pytest.mark.parametrize("tab", TABS)
def test_no_tab_logs_a_deprecation(app: AppTest, tab: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        until_measured(app.run())
        opened(app, tab)
        app.switch_page("app_pages/setup/models.py").run()
    assert not app.exception
    messages = [record.getMessage() for record in caplog.records]
    old = [m for m in messages if "deprecat" in m.lower() or "will be removed" in m.lower()]
    assert old == []


def encoded(**changes) -> EncodedConversation:
    parts = {
        "sequence": TokenSequence((7, 1, 2, 8)),
        "text": "<s>hi\nx",
        "offsets": ((0, 3), (3, 5), (5, 6), (6, 7)),
        "tokens": ("<s>", "hi", "\n", "x"),
        "special": (True, False, False, False),
        "spans": (),
        "read_position": 2,
        "n_cut": 0,
        "cut_text": "",
        "bos_count": 1,
        "warnings": (),
    }
    return EncodedConversation(**(parts | changes))


def test_every_token_is_drawn_and_the_reading_position_stands_out():
    pieces = token_pieces(encoded())
    assert [piece.text for piece in pieces] == ["<s>", "hi", "↵\n", "x"]
    assert [piece.style for piece in pieces] == ["special", "token-0", "read", "token-0"]
    assert "token 3, id 2" in pieces[2].hint


def test_cut_text_is_drawn_in_red():
    pieces = token_pieces(encoded(n_cut=2, cut_text=" gone"))
    assert (pieces[-1].text, pieces[-1].style) == (" gone", "cut")


def test_the_middle_of_a_long_sequence_is_left_out_and_counted(monkeypatch):
    monkeypatch.setattr(model_view, "SHOWN_TOKENS", 2)
    texts = [piece.text for piece in token_pieces(encoded())]
    assert texts == ["<s>", "\n… 2 tokens not drawn …\n", "x"]


def test_a_unit_that_could_not_be_computed_has_no_colour():
    values = np.array([0.5, np.nan])
    attribution = Attribution(1, "ab", ((0, 1), (1, 2)), values, "occlusion")
    assert heat_pieces(attribution) == [("a", 0.5, "+0.500"), ("b", 0.0, "could not be computed")]


def test_markup_in_tokens_stays_text():
    from app_pages.common.markup import pieces_html

    markup = pieces_html(token_pieces(encoded(tokens=("<b>", "&", '"', "x"))))
    assert "<b>" not in markup
    assert "&lt;b&gt;" in markup
    assert html.unescape(re.sub(r"<[^>]*>", "", markup)) == '<b>&"x'
