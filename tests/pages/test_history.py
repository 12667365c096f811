"""Every edit stays reachable: pin, diff, go back, branch, and the reward along the way."""

import json

from streamlit.testing.v1 import AppTest

from app_pages.common.examples import EXAMPLES
from tests.pages.conftest import answer, editor_data, typed, until_measured


def options(test: AppTest) -> list[str]:
    return list(test.radio(key="version").options)


def html(test: AppTest) -> str:
    return " ".join(element.value for element in test.html)


def test_history_begins_with_the_baseline_and_the_edit_of_the_example(playground: AppTest):
    assert len(options(playground)) == 2
    assert playground.radio(key="version").value == 2
    assert "baseline" in captions(playground)[1]
    assert "on screen" in captions(playground)[0]


def test_pinning_moves_the_baseline(playground: AppTest):
    typed(playground, *answer("one two three"))
    playground.button(key="pin").click()
    until_measured(playground.run())
    assert playground.metric[0].delta == "+0.000"
    typed(playground, *answer("one two three four five"))
    assert playground.metric[0].value == "5.000"
    assert playground.metric[0].delta == "+2.000"


def test_difference_shows_what_was_added_and_removed(playground: AppTest):
    typed(playground, *answer("the otter sat down"))
    typed(playground, *answer("the zebra sat down"))
    assert "underline" in html(playground).split("zebra")[0].rsplit("<span", 1)[1]
    assert "line-through" in html(playground).split("otter")[0].rsplit("<span", 1)[1]


def test_going_back_puts_the_version_into_the_editor_and_keeps_the_rest(playground: AppTest):
    typed(playground, *answer("something new"))
    n_versions = len(options(playground))
    playground.radio(key="version").set_value(1).run()
    playground.button(key="back").click()
    until_measured(playground.run())
    assert editor_data(playground)["messages"][-1]["content"] == EXAMPLES[0].response
    assert len(options(playground)) == n_versions
    typed(playground, *answer("a branch"))
    assert any("from v1" in caption for caption in captions(playground))


def captions(test: AppTest) -> list[str]:
    return list(test.radio(key="version").proto.captions)


def test_what_was_typed_last_is_kept_when_an_action_follows_at_once(playground: AppTest):
    typed(playground, *answer("half a thought"), settled=False)
    playground.radio(key="version").set_value(1).run()
    playground.button(key="back").click().run()
    texts = [version.messages[-1]["content"] for version in versions(playground)]
    assert "half a thought" in texts


def versions(test: AppTest) -> list:
    return list(test.session_state["workspace"].tree.versions)


def test_branch_starts_from_a_copy(playground: AppTest):
    playground.radio(key="version").set_value(1).run()
    playground.button(key="branch").click()
    until_measured(playground.run())
    newest = versions(playground)[-1]
    assert newest.parent == 1
    assert newest.messages[-1]["content"] == EXAMPLES[0].response


def test_rewards_of_earlier_versions_are_filled_in_for_a_model_chosen_later(playground: AppTest):
    typed(playground, *answer("Stop! Now!"))
    playground.multiselect(key="models").set_value(["words", "shouts"])
    until_measured(playground.run())
    rewards = [version.rewards["shouts"] for version in versions(playground)]
    texts = [version.messages[-1]["content"] for version in versions(playground)]
    assert rewards == [-0.1 * text.count("!") for text in texts]


def test_each_model_has_a_line_of_its_own(playground: AppTest):
    playground.multiselect(key="models").set_value(["words", "shouts"])
    until_measured(playground.run())
    charts = [json.loads(chart.proto.spec) for chart in playground.get("plotly_chart")]
    assert [chart["layout"]["title"]["text"] for chart in charts] == ["words", "shouts"]
    assert all(len(chart["data"]) == 1 for chart in charts)
