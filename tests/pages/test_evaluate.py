"""The Evaluate page: numbers that can be counted by hand, from the button to the saved run."""

import io
import json
import time
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.evaluation import own_pairs, public_benchmarks
from core.engine.service import RewardService
from core.pair_sources import authored_pairs, first_prompts
from core.runs import list_runs
from tests.pages.conftest import ROOT, TIMEOUT_S, n_words, until

PAGE = "app_pages/evaluate/evaluate.py"


@pytest.fixture
def evaluate(service: RewardService) -> AppTest:
    """The page with the word counter chosen."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.session_state["evaluate-models"] = ["words"]
    return test.run().switch_page(PAGE).run()


def ask(test: AppTest, question: str) -> AppTest:
    test.session_state["question"] = question
    return settle(test.run())


def settle(test: AppTest) -> AppTest:
    """Runs the page until nothing is being waited for."""
    waiting = ("hourglass_empty", "Counting what it takes")
    return until(test, lambda: not any(word in texts(test) for word in waiting))


def press_run(test: AppTest, name: str) -> AppTest:
    """Presses Run and waits for the result."""
    until(settle(test), lambda: any(button.key == f"{name}-run" for button in test.button))
    test.button(key=f"{name}-run").click().run()
    until(test, lambda: not any(button.key == f"{name}-stop" for button in test.button))
    return settle(test)


def texts(test: AppTest) -> str:
    parts = [*test.caption, *test.markdown, *test.text, *test.warning, *test.error, *test.info]
    return "\n".join(part.value.replace("\\", "") for part in parts)


def upload(test: AppTest, key: str, *files: tuple[str, bytes]) -> AppTest:
    values = [(name, content, "application/octet-stream") for name, content in files]
    uploader = test.file_uploader(key=key)
    uploader.set_value(values if uploader.accept_multiple_files else values[0])
    return settle(test.run())


def frames(test: AppTest) -> list:
    return [element.value for element in test.dataframe]


def rm_bench(n: int = 4, rejected: tuple[str, ...] = ("b", "b b", "b b b")) -> bytes:
    """Rows whose chosen responses have one, two and three words, as have the rejected ones."""
    rows = [
        {"id": k, "prompt": f"p{k}", "chosen": ["a", "a a", "a a a"], "rejected": list(rejected)}
        for k in range(n)
    ]
    return json.dumps(rows).encode()


def expected_accuracy(n_pairs: int) -> float:
    pairs = first_prompts(authored_pairs().pairs, n_pairs)
    counts = [
        (len(chosen.split()), len(rejected.split()))
        for chosen, rejected in zip(pairs["chosen"], pairs["rejected"], strict=True)
    ]
    return sum((a > b) + 0.5 * (a == b) for a, b in counts) / len(counts)


def test_one_click_gives_the_accuracy_on_authored_pairs(evaluate: AppTest):
    press_run(evaluate, "evaluate-pairs")
    assert f"all: {expected_accuracy(100):.1%}" in texts(evaluate)
    assert "What would falsify this?" in texts(evaluate)
    charts = evaluate.get("plotly_chart")
    assert charts
    assert "flaw" in charts[0].proto.spec


def test_the_numbers_are_saved_as_a_run_whose_python_gives_them_again(
    evaluate: AppTest, capsys: pytest.CaptureFixture[str]
):
    press_run(evaluate, "evaluate-pairs")
    evaluate.button(key="evaluation-save").click().run()
    until(evaluate, lambda: "Saved as" in texts(evaluate))
    (run,) = list_runs().runs
    scores = run.tables["scores"]
    assert scores.loc[scores["level"] == "overall", "value"].item() == expected_accuracy(100)
    assert run.options["slices"] == ["category", "flaw"]
    exec(run.python, {})
    assert f"{expected_accuracy(100):.6f}"[:7] in capsys.readouterr().out


def test_a_model_that_fails_is_named_and_the_other_one_is_shown(evaluate: AppTest):
    evaluate.session_state["evaluate-models"] = ["words", "broken"]
    press_run(evaluate.run(), "evaluate-pairs")
    assert "broken gave no reward at all" in texts(evaluate)
    assert "this model is out of order" in texts(evaluate)
    assert f"all: {expected_accuracy(100):.1%}" in texts(evaluate)


def test_only_a_failing_model_leaves_no_result_and_no_exception(evaluate: AppTest):
    evaluate.session_state["evaluate-models"] = ["broken"]
    press_run(evaluate.run(), "evaluate-pairs")
    assert "broken gave no reward at all" in texts(evaluate)
    assert not evaluate.get("plotly_chart")


def test_one_pair_gives_its_number_and_no_interval(evaluate: AppTest):
    evaluate.session_state["evaluate-pairs-pairs"] = "My file"
    evaluate.run()
    row = {"prompt": "p", "chosen": "two words", "rejected": "one"}
    upload(evaluate, "evaluate-pairs-file", ("one.json", json.dumps([row]).encode()))
    press_run(evaluate, "evaluate-pairs")
    assert "all: 100.0%" in texts(evaluate)


def test_the_users_text_is_shown_as_it_is_written(evaluate: AppTest):
    evaluate.session_state["evaluate-pairs-pairs"] = "My file"
    evaluate.run()
    rows = [
        {"prompt": f"**{k}**", "chosen": ":red[a] b", "rejected": "c", "topic": f"*t{k % 2}*"}
        for k in range(12)
    ]
    upload(evaluate, "evaluate-pairs-file", ("p.json", json.dumps(rows).encode()))
    press_run(evaluate, "evaluate-pairs")
    # Backslashes stand before what Markdown would read as markup.
    readings = [part.value for part in evaluate.markdown if "topic" in part.value]
    assert readings
    assert all("*t" not in text.replace("\\*", "") for text in readings)


def test_a_clicked_item_shows_its_texts_and_opens_in_the_playground(evaluate: AppTest):
    press_run(evaluate, "evaluate-pairs")
    evaluate.session_state["evaluate-pairs-items-words"] = {
        "selection": {"rows": [0], "columns": [], "cells": []}
    }
    evaluate.run()
    pairs = first_prompts(authored_pairs().pairs, 100)
    margin = pairs["chosen"].str.split().str.len() - pairs["rejected"].str.split().str.len()
    worst = pairs.loc[margin.idxmin()]
    assert worst["prompt"][-1]["content"] in [text.value for text in evaluate.text]
    evaluate.button(key="evaluate-pairs-open").click().run()
    space = evaluate.session_state["workspace"]
    assert space.conversation[-1]["content"] == worst["rejected"]
    assert space.tree.pinned.messages[-1]["content"] == worst["chosen"]


def test_styles_by_rule_show_that_the_word_counter_goes_by_style(evaluate: AppTest):
    press_run(ask(evaluate, "styles"), "evaluate-styles")
    (reliance,) = [
        frame
        for frame in frames(evaluate)
        if "what" in frame and frame["what"].str.contains("easy minus hard").any()
    ]
    row = reliance[reliance["what"].str.contains("easy minus hard")].iloc[0]
    assert row["value"] > 0.5  # written by rule, the detailed style has more words
    assert "written by rule" in texts(evaluate).lower()


def test_lists_of_styles_give_the_matrix_worked_out_by_hand(evaluate: AppTest):
    ask(evaluate, "styles")
    evaluate.session_state["evaluate-styles-how"] = own_pairs.LISTS
    evaluate.run()
    upload(evaluate, "evaluate-styles-file", ("styles.json", rm_bench()))
    press_run(evaluate, "evaluate-style-lists")
    # One, two, three words on both sides: wins below the diagonal, ties on it, losses above.
    told = "wins 100% of comparisons where it is also the more decorated one, 0% in equal style "
    assert told + "and 0% where the worse" in texts(evaluate)


def test_a_file_without_lists_is_told(evaluate: AppTest):
    ask(evaluate, "styles")
    evaluate.session_state["evaluate-styles-how"] = own_pairs.LISTS
    evaluate.run()
    row = {"prompt": "p", "chosen": "a", "rejected": "b"}
    upload(evaluate, "evaluate-styles-file", ("p.json", json.dumps([row]).encode()))
    assert "No row of this file holds lists" in texts(evaluate)


def test_rm_bench_without_maths_has_a_matrix_and_no_official_score(evaluate: AppTest):
    ask(evaluate, "benchmark")
    upload(evaluate, "benchmark-files-rm-bench", ("chat.json", rm_bench()))
    press_run(evaluate, "benchmark")
    shown = texts(evaluate)
    assert "there is no overall score under its name" in shown
    assert "chat: 4 of its 129 prompts" in shown
    assert "math: none of its 529 prompts" in shown
    assert "average of chat: 33.3%" in shown
    assert "Reported by the paper, not measured here" in shown
    evaluate.button(key="evaluation-save").click().run()
    until(evaluate, lambda: "Saved as" in texts(evaluate))
    (run,) = list_runs().runs
    scores = run.tables["scores"].set_index(["level", "metric"])["value"]
    assert scores["domain", "easy"] == 1
    assert scores["domain", "normal"] == scores["domain", "hard"] == 0
    assert any("Missing for an official score" in note for note in run.notes)


def test_a_zip_file_of_llmbar_keeps_its_subsets(evaluate: AppTest):
    pair = [{"input": "Say a.", "output_1": "a a", "output_2": "b", "label": 1}]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("LLMBar/Natural/dataset.json", json.dumps(pair))
        archive.writestr("LLMBar/Adversarial/Manual/dataset.json", json.dumps(pair))
    ask(evaluate, "benchmark")
    evaluate.selectbox(key="benchmark").set_value("llmbar").run()
    upload(evaluate, "benchmark-files-llmbar", ("LLMBar.zip", target.getvalue()))
    press_run(evaluate, "benchmark")
    assert "natural: 1 of its 100 pairs" in texts(evaluate)
    assert "adversarial-manual: 1 of its 46 pairs" in texts(evaluate)


def test_a_part_of_the_items_says_how_many(evaluate: AppTest):
    ask(evaluate, "benchmark")
    upload(evaluate, "benchmark-files-rm-bench", ("chat.json", rm_bench(8)))
    (field,) = [each for each in evaluate.number_input if each.label == "How many items"]
    field.set_value(5).run()
    press_run(evaluate, "benchmark")
    assert "chat: 5 of its 129 prompts" in texts(evaluate)
    assert "first_items(benchmark_table.candidates, 5)" in evaluate.code[-1].value


def test_damaged_uploads_are_told_by_file_and_row(evaluate: AppTest):
    rows = [*json.loads(rm_bench(2)), {"id": 9, "prompt": "p", "chosen": "a", "rejected": ["b"]}]
    ask(evaluate, "benchmark")
    upload(evaluate, "benchmark-files-rm-bench", ("chat.json", json.dumps(rows).encode()))
    assert any("chat.json, row 3" in text.value for text in evaluate.text)
    upload(evaluate, "benchmark-files-rm-bench", ("chat.json", b"{"))
    assert "nothing of rm-bench can be read" in texts(evaluate)


def test_a_folder_is_read_where_it_may_be(evaluate: AppTest, service, monkeypatch, tmp_path: Path):
    (tmp_path / "open" / "rm").mkdir(parents=True)
    (tmp_path / "open" / "rm" / "chat.json").write_bytes(rm_bench())
    monkeypatch.setattr(public_benchmarks, "data_roots", lambda: (tmp_path / "open",))
    ask(evaluate, "benchmark")
    evaluate.session_state["benchmark-where"] = public_benchmarks.FOLDER
    evaluate.run()
    evaluate.text_input(key="benchmark-folder").set_value("../../etc").run()
    settle(evaluate)
    assert "not a folder this server may read" in texts(evaluate)
    evaluate.text_input(key="benchmark-folder").set_value("rm").run()
    press_run(evaluate, "benchmark")
    assert "average of chat: 33.3%" in texts(evaluate)


def test_visitors_of_a_shared_server_are_offered_no_folder(evaluate: AppTest, monkeypatch):
    monkeypatch.setattr(public_benchmarks, "data_roots", lambda: ())
    ask(evaluate, "benchmark")
    (where,) = [each for each in evaluate.button_group if each.label == "Where its data are"]
    assert public_benchmarks.FOLDER not in [option.content for option in where.proto.options]


def test_best_of_n_shows_the_word_counter_falling_for_padding(evaluate: AppTest):
    press_run(ask(evaluate, "best-of-n"), "best-of-n")
    shown = texts(evaluate)
    assert "words: " in shown
    assert "made by rule and not sampled from a policy" in shown
    picks = next(frame for frame in frames(evaluate) if "picked_gold" in frame)
    pairs = first_prompts(authored_pairs().pairs, 40)
    assert picks["prompt_id"].nunique() == pairs["prompt_id"].nunique()
    # It picks the longest text, whose words can be counted.
    first = picks.iloc[0]
    assert first["lost"] == 1
    turn = {"role": "assistant", "content": first["picked"]}
    other = {"role": "assistant", "content": first["best"]}
    assert n_words([turn]) > n_words([other])


def test_gold_by_a_model_needs_another_model_as_proxy(evaluate: AppTest):
    ask(evaluate, "best-of-n")
    (gold,) = [each for each in evaluate.selectbox if each.label == "Gold reward"]
    gold.set_value("A reward model").run()
    assert "Choose the model whose reward is the gold one" in texts(evaluate)
    evaluate.selectbox(key="best-of-n-gold-model").set_value("words").run()
    assert "cannot be the only model" in texts(evaluate)
    evaluate.session_state["evaluate-models"] = ["shouts"]
    press_run(evaluate.run(), "best-of-n")
    assert "words (standardised)" in str(
        [chart.proto.spec for chart in evaluate.get("plotly_chart")]
    )


def test_a_file_of_responses_gives_gaos_four_numbers(evaluate: AppTest):
    ask(evaluate, "best-of-n")
    evaluate.session_state["best-of-n-where"] = "My file of responses"
    evaluate.run()
    rows = [
        {"prompt": f"p{k}", "response": " ".join(["w"] * (place + 1)), "worth": gold}
        for k in range(6)
        for place, gold in enumerate([0, 2, 3, 1])
    ]
    upload(evaluate, "best-of-n-file", ("r.json", json.dumps(rows).encode()))
    press_run(evaluate, "best-of-n")
    told = "words: its picks are worth most at n = 2; from there to n = 4 -0.833"
    assert told in texts(evaluate)


def test_stopping_keeps_what_was_scored_and_continues(evaluate: AppTest, service: RewardService):
    from core.models.function import FunctionRewardModel

    def slowly(conversation) -> float:
        time.sleep(0.01)
        return n_words(conversation)

    service.register(FunctionRewardModel("slow", slowly))
    evaluate.session_state["evaluate-models"] = ["slow"]
    settle(evaluate.run())
    evaluate.button(key="evaluate-pairs-run").click().run()
    evaluate.button(key="evaluate-pairs-stop").click().run()
    until(evaluate, lambda: "Stopped: what follows" in texts(evaluate))
    press_run(evaluate, "evaluate-pairs")
    assert f"all: {expected_accuracy(100):.1%}" in texts(evaluate)


def test_no_model_chosen_says_what_to_do(evaluate: AppTest):
    evaluate.session_state["evaluate-models"] = []
    evaluate.run()
    assert "Choose at least one reward model" in texts(evaluate)
