"""Whatever a visitor types is shown as typed: no tag, no Markdown and no directive comes alive."""

import html
import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import answer, editor_data, typed

TAG = '<img src="x" onerror="alert(1)">'
TEXTS = [TAG, "<script>alert(1)</script>", "</div><b>x</b>", "**b** :red[x] ![i](http://e/x.png)"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_never_reaches_markdown_or_html_unescaped(playground: AppTest, text: str):
    typed(playground, *answer(text, prompt=text))
    typed(playground, *answer(f"{text} {text}", prompt=text))
    assert editor_data(playground)["messages"][0]["content"] == text
    for element in (*playground.markdown, *playground.caption, *playground.radio):
        assert text not in str(element.value)
    shown = " ".join(element.value for element in playground.html)
    for tag in ("<img", "<script", "<b>"):
        assert tag not in shown
    assert text in html.unescape(re.sub(r"</?(div|span)[^>]*>", "", shown))


def test_model_titles_are_not_markup(app: AppTest, service):
    from core.models.function import FunctionRewardModel

    model = FunctionRewardModel("sly", lambda conversation: 1.0)
    model.card = model.card.model_copy(update={"id": "sly", "title": "**x** :red[y]"})
    service.register(model)
    app.session_state["models"] = ["sly"]
    app.run()
    assert not app.exception
    assert app.metric[0].value == "1.000"
