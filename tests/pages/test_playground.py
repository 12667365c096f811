"""The playground shows the models' own numbers, follows every edit and loses nothing."""

import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.examples import EXAMPLES
from core.reference import reference_responses
from tests.pages.conftest import answer, editor_data, typed, until_measured


def words(text: str) -> int:
    return len(text.split())


def test_first_screen_shows_the_first_example_scored_against_its_baseline(playground: AppTest):
    example = EXAMPLES[0]
    edited, baseline = words(example.edited), words(example.response)
    (metric,) = playground.metric
    assert metric.value == f"{edited:.3f}"
    assert metric.delta == f"{edited - baseline:+.3f}"
    assert editor_data(playground)["messages"] == [
        {"role": "user", "content": example.prompt},
        {"role": "assistant", "content": example.edited},
    ]


def test_reward_follows_an_edit(playground: AppTest):
    typed(playground, *answer("four words in here"))
    assert playground.metric[0].value == "4.000"


def test_standing_counts_the_reference_responses_below(playground: AppTest):
    counts = [words(r.conversation[-1]["content"]) for r in reference_responses()]
    typed(playground, *answer("word " * 40))
    below = (sum(c < 40 for c in counts) + 0.5 * sum(c == 40 for c in counts)) / len(counts)
    assert playground.progress[0].text == f"above {below:.0%} of 40 reference responses"
    assert playground.progress[0].value == int(below * 100)


def test_an_edit_becomes_a_version_only_when_typing_has_paused(playground: AppTest):
    before = playground.radio(key="version").options
    typed(playground, *answer("one two"), settled=False)
    assert playground.metric[0].value == "2.000"
    assert playground.radio(key="version").options == before
    typed(playground, *answer("one two three"))
    assert len(playground.radio(key="version").options) == len(before) + 1


def test_several_models_have_a_card_each_and_one_that_fails_stops_nobody(playground: AppTest):
    playground.multiselect(key="models").set_value(["words", "broken", "shouts"])
    until_measured(playground.run())
    typed(playground, *answer("Stop! It! Now!"))
    assert [metric.value for metric in playground.metric] == ["3.000", "-0.300"]
    assert any("this model is out of order" in text.value for text in playground.text)


def test_text_that_is_not_a_conversation_says_what_is_missing(playground: AppTest):
    typed(playground, {"role": "user", "content": "Hello?"})
    assert not playground.metric
    assert "does not end with the assistant's turn" in editor_data(playground)["problem"]


def test_broken_json_is_kept_and_the_place_is_named(playground: AppTest):
    typed(playground, raw='[{"role": "user",')
    data = editor_data(playground)
    assert data["raw"] == '[{"role": "user",'
    assert "line 1" in data["problem"]


def test_raw_json_is_scored_like_turns(playground: AppTest):
    raw = '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b c d"}]'
    typed(playground, raw=raw)
    assert playground.metric[0].value == "3.000"
    assert editor_data(playground)["problem"] == ""


def test_an_answer_to_replaced_text_is_acknowledged_and_dropped(playground: AppTest):
    revision = editor_data(playground)["revision"]
    playground.session_state["editor"] = {
        "doc": {
            "client": "test",
            "seq": 9,
            "base": revision - 1,
            "settled": True,
            "messages": list(answer("late")),
        }
    }
    playground.run()
    assert editor_data(playground)["ack"] == {"client": "test", "seq": 9}
    assert editor_data(playground)["messages"][-1]["content"] == EXAMPLES[0].edited


def test_the_editor_is_written_only_by_actions_never_by_typing(playground: AppTest):
    revision = editor_data(playground)["revision"]
    typed(playground, *answer("typed"))
    assert editor_data(playground)["revision"] == revision
    playground.radio(key="version").set_value(1).run()
    playground.button(key="back").click().run()
    assert editor_data(playground)["revision"] == revision + 1


@pytest.mark.parametrize("text", ["", "🎉" * 50, "שלום עולם", "word " * 20_000, "\x00\ud7ff"])
def test_any_text_is_taken(playground: AppTest, text: str):
    typed(playground, *answer(text))
    assert playground.metric[0].value == f"{words(text):.3f}"


def test_no_model_chosen_says_what_to_do(playground: AppTest):
    playground.multiselect(key="models").set_value([]).run()
    assert not playground.exception
    assert not playground.metric
    assert any("Choose a reward model" in caption.value for caption in playground.caption)
