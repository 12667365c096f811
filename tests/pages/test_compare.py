"""The Compare page: its numbers against hand counts, its clicks, and what it does without any."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common import lab_run, pair_choice
from app_pages.compare.examples import table_key
from app_pages.compare.head_to_head import scatter_key
from app_pages.compare.parts import PARTS
from core.engine.service import RewardService
from core.labs.attributes.extractors import n_words as words_of
from core.models.function import FunctionRewardModel
from core.pair_sources import authored_pairs, first_prompts
from core.runs import list_runs
from core.schema import Conversation, with_response
from tests.pages.conftest import n_shouts, n_words, until

PAGE = "app_pages/compare/compare.py"
N_PAIRS = 20
BUSY = ("Computing", "Preparing", "Counting", "Measuring the noise floors", "Saving")


def tab(word: str) -> str:
    """The label of the tab whose title holds this word."""
    return next(label for label in PARTS if word in label)


def busy(test: AppTest) -> bool:
    running = any(button.key == "compare-stop" for button in test.button)
    return running or any(word in caption.value for caption in test.caption for word in BUSY)


def settled(test: AppTest) -> AppTest:
    return until(test, lambda: not busy(test))


def opened(app: AppTest, models: list[str], *, n_pairs: int = N_PAIRS) -> AppTest:
    """The page with these models and so many authored pairs, nothing scored yet."""
    app.session_state["compare-models"] = models
    app.session_state[f"compare-n-{pair_choice.AUTHORED}"] = n_pairs
    app.run()
    return settled(app.switch_page(PAGE).run())


def run(app: AppTest, models: list[str], **given: int) -> AppTest:
    test = opened(app, models, **given)
    return settled(test.button(key="compare-run").click().run())


def go_to(test: AppTest, word: str) -> AppTest:
    test.session_state["compare-tab"] = tab(word)
    return settled(test.run())


def texts(test: AppTest) -> str:
    said = [*test.markdown, *test.caption, *test.info, *test.error]
    return " ".join(element.value.replace("\\", "") for element in said)


def margins(n_pairs: int = N_PAIRS) -> dict[str, np.ndarray]:
    """The margins by hand, in the order of the page's pairs."""
    pairs = first_prompts(authored_pairs().pairs, n_pairs)

    def of(reward: Callable[[Conversation], float]) -> np.ndarray:
        return np.array(
            [
                reward(with_response(pair["prompt"], pair["chosen"]))
                - reward(with_response(pair["prompt"], pair["rejected"]))
                for pair in pairs.to_dict(orient="records")
            ]
        )

    return {"words": of(n_words), "shouts": of(n_shouts)}


def accuracy(values: np.ndarray) -> str:
    return f"{100 * np.mean((np.sign(values) + 1) / 2):.1f} %"


@pytest.fixture
def compared(app: AppTest) -> AppTest:
    """The page after Run with the two analytic models."""
    return run(app, ["words", "shouts"])


def test_the_first_screen_says_what_to_do_and_one_click_gives_a_result(app: AppTest):
    test = opened(app, ["words", "shouts"])
    assert "Press Run" in texts(test)
    assert test.button(key="compare-run").label == f"Run: score {2 * N_PAIRS} conversations"
    settled(test.button(key="compare-run").click().run())
    assert "prefers the chosen response most often" in texts(test)


def test_accuracies_are_the_hand_counted_ones(compared: AppTest):
    shown = compared.dataframe[0].value.set_index("Model")
    for model, values in margins().items():
        row = shown.loc[model]
        assert row["Accuracy"].startswith(accuracy(values) + " (")
        wins, losses = int((values > 0).sum()), int((values < 0).sum())
        assert row["Right / tie / wrong"] == (
            f"{wins} / {N_PAIRS - wins - losses} / {losses} of {N_PAIRS}"
        )
        assert row["Left out"] == "none"
        assert row["Noise floor"] == "0, 0 within"


def test_the_scatter_has_every_pair_at_its_standardised_margins(compared: AppTest):
    go_to(compared, "Head")
    spec = json.loads(compared.get("plotly_chart")[0].proto.spec)
    n_points = sum(len(trace["customdata"]) for trace in spec["data"])
    assert n_points == N_PAIRS
    shown = compared.dataframe[0].value
    found = margins()
    apart = np.abs(
        found["words"] / np.sqrt(np.mean(found["words"] ** 2))
        - found["shouts"] / np.sqrt(np.mean(found["shouts"] ** 2))
    )
    order = np.argsort(-apart, kind="stable")
    assert shown["margin of words"].tolist() == pytest.approx(found["words"][order])
    assert shown["margin of shouts"].tolist() == pytest.approx(found["shouts"][order])


def lassoed(test: AppTest, rows: list[int]) -> AppTest:
    points = [{"customdata": [row, "id", 0.0, 0.0, ""]} for row in rows]
    test.session_state[scatter_key("words", "shouts")] = {"selection": {"points": points}}
    return test.run()


def test_a_lasso_filters_the_table(compared: AppTest):
    go_to(compared, "Head")
    lassoed(compared, [3, 5])
    ids = list(first_prompts(authored_pairs().pairs, N_PAIRS)["pair_id"])
    assert set(compared.dataframe[0].value["pair"]) == {ids[3], ids[5]}
    assert f"2 of {N_PAIRS} pairs: those in the selection" in texts(compared)


def test_kinds_filter_without_a_lasso(compared: AppTest):
    go_to(compared, "Head")
    found = margins()
    tied = (found["words"] == 0) | (found["shouts"] == 0)
    compared.session_state["compare-kinds"] = ["tie"]
    compared.run()
    assert len(compared.dataframe[0].value) == int(tied.sum())


def clicked(test: AppTest, row: int) -> AppTest:
    """The page after a lasso around one pair and a click on it."""
    go_to(test, "Head")
    lassoed(test, [row])
    test.session_state[table_key("compare-h2h", [row])] = {
        "selection": {"rows": [], "columns": [], "cells": [[0, "prompt"]]}
    }
    return test.run()


def test_a_click_on_a_row_shows_both_texts_and_each_verdict(compared: AppTest):
    clicked(compared, 4)
    pair = first_prompts(authored_pairs().pairs, N_PAIRS).iloc[4]
    drawn = " ".join(element.value for element in compared.html)
    for text in (pair["chosen"], pair["rejected"]):
        assert text.split()[0] in drawn
    value = margins()["words"][4]
    verdict = "right" if value > 0 else "wrong" if value < 0 else "a tie"
    assert f"words: {verdict} by {abs(value):.3f}" in texts(compared)


def test_a_pair_opens_in_the_playground_with_the_same_models(compared: AppTest):
    clicked(compared, 4)
    compared.button(key="compare-h2h-open").click().run()
    assert not compared.exception
    pair = first_prompts(authored_pairs().pairs, N_PAIRS).iloc[4]
    tree = compared.session_state["workspace"].tree
    assert list(tree.current.messages) == with_response(pair["prompt"], pair["rejected"])
    assert list(tree.pinned.messages) == with_response(pair["prompt"], pair["chosen"])
    assert compared.session_state["models"] == ["words", "shouts"]
    assert compared.get("bidi_component")


def test_the_comparison_is_still_there_on_the_way_back(compared: AppTest):
    clicked(compared, 4)
    compared.button(key="compare-h2h-open").click().run()
    settled(compared.switch_page(PAGE).run())
    assert "compare-run" not in [button.key for button in compared.button]
    assert "They disagree on" in texts(compared)


def test_words_are_attributed_on_request(compared: AppTest):
    clicked(compared, 4)
    compared.toggle(key="compare-h2h-words").set_value(True)
    until(compared.run(), lambda: "computing" not in texts(compared))
    drawn = [element.value for element in compared.html if 'title="' in element.value]
    assert len(drawn) == 4  # two sides under two models
    pair = first_prompts(authored_pairs().pairs, N_PAIRS).iloc[4]
    n_first = len(pair["chosen"].split())
    if "." not in pair["chosen"].rstrip(". "):
        assert f'title="+{n_first}.000"' in drawn[0]


def test_changed_minds_are_the_pairs_whose_sign_differs(compared: AppTest):
    go_to(compared, "Changed")
    found = margins()
    before, after = np.sign(found["words"]), np.sign(found["shouts"])
    assert len(compared.dataframe[0].value) == int((before != after).sum())
    became_right = int(((before < 0) & (after > 0)).sum())
    assert f"{became_right} become right" in texts(compared)


def test_paired_tests_give_the_hand_counted_difference(compared: AppTest):
    go_to(compared, "Paired")
    found = margins()
    credit = {model: (np.sign(values) + 1) / 2 for model, values in found.items()}
    points = 100 * np.mean(credit["shouts"] - credit["words"])
    assert f"shouts against words: {points:+.1f} points" in texts(compared)
    tests = compared.dataframe[0].value
    assert set(tests["test"]) == {
        "McNemar",
        "sign flip of accuracy",
        "sign flip of standardised margins",
    }


def test_the_baseline_can_be_the_other(compared: AppTest):
    compared.selectbox(key="compare-baseline").set_value("shouts")
    settled(compared.run())
    go_to(compared, "Paired")
    assert "words against shouts" in texts(compared)


def test_agreement_is_the_share_of_equal_winners(compared: AppTest):
    go_to(compared, "Agreement")
    signs = [np.sign(values) for values in margins().values()]
    share = np.mean(1 - np.abs(signs[0] - signs[1]) / 2)
    assert f"words and shouts, {100 * share:.1f} %" in texts(compared)


def test_calibration_slices_and_ensembles_draw(compared: AppTest):
    for word, told in (
        ("Calibration", "Read as a probability"),
        ("Slices", "words: best"),
        ("Ensembles", "the best ensemble is"),
    ):
        go_to(compared, word)
        assert told in texts(compared) or "No slice has" in texts(compared)
        assert compared.get("plotly_chart"), word


def test_a_column_of_the_pairs_can_be_sliced_by(compared: AppTest):
    go_to(compared, "Slices")
    box = compared.selectbox(key="compare-column")
    assert {"category", "flaw", "longer response"} <= set(box.options)
    settled(box.set_value("longer response").run())
    pairs = first_prompts(authored_pairs().pairs, N_PAIRS)
    longer = np.array(
        [
            len(a.split()) > len(b.split())
            for a, b in zip(pairs["chosen"], pairs["rejected"], strict=True)
        ]
    )
    rows = compared.dataframe[0].value.query("model == 'words' and slice == 'chosen'")
    assert rows["n"].iloc[0] == pytest.approx(longer.sum(), abs=1)


def test_checkpoints_of_a_run_are_drawn_over_their_steps(app: AppTest, service: RewardService):
    for step in (5, 40):
        model = FunctionRewardModel(f"toy-step-{step}", lambda c, s=step: n_words(c) * s)
        service.register(model)
    test = run(app, ["toy-step-40", "toy-step-5"])
    go_to(test, "Training")
    assert f"Accuracy goes from {accuracy(margins()['words'])}" in texts(test)
    assert "after 5 steps" in texts(test)
    assert len(test.get("plotly_chart")) >= 6
    table = test.dataframe[0].value
    index = table.query("measure == 'beyond the labels: words'")
    pairs = first_prompts(authored_pairs().pairs, N_PAIRS)
    more = np.array(
        [words_of(a) - words_of(b) for a, b in zip(pairs["chosen"], pairs["rejected"], strict=True)]
    )
    wins = (np.sign(margins()["words"]) + 1) / 2
    excess = np.where(more > 0, wins, 1 - wins) - (more > 0)
    assert index["value"].tolist() == pytest.approx([excess[more != 0].mean()] * 2)


def test_without_checkpoints_the_training_run_says_what_to_do(compared: AppTest):
    go_to(compared, "Training")
    assert "Choose two or more checkpoints" in texts(compared)


def test_a_model_that_fails_is_named_and_the_others_are_compared(app: AppTest):
    test = run(app, ["words", "broken", "shouts"])
    shown = test.dataframe[0].value.set_index("Model")
    assert shown.loc["words"]["Accuracy"].startswith(accuracy(margins()["words"]))
    assert shown.loc["broken"]["Accuracy"] == "no value"
    assert "this model is out of order" in shown.loc["broken"]["Left out"]
    for word in ("Head", "Changed", "Paired", "Agreement", "Calibration", "Slices", "Ensembles"):
        go_to(test, word)
        assert not test.error, word


def test_one_pair_is_enough_to_be_shown(app: AppTest):
    test = run(app, ["words", "shouts"], n_pairs=1)
    for label in PARTS:
        test.session_state["compare-tab"] = label
        settled(test.run())
        assert not test.error, label
    assert "1 pair of 1 prompt" in texts(go_to(test, "Overview"))


def test_one_model_or_none_says_what_is_missing(app: AppTest):
    for models in ([], ["words"]):
        test = opened(app, models)
        assert "Choose 2 to 8 models" in texts(test)
        assert "compare-run" not in [button.key for button in test.button]


def test_a_stopped_run_keeps_what_it_scored(app: AppTest, monkeypatch: pytest.MonkeyPatch):
    class Halfway(lab_run.PlanRun):
        def rewards(self):
            rewards, errors = super().rewards()
            half = len(rewards) // 2
            return (
                np.where(np.arange(len(rewards)) < half, rewards, np.nan),
                [*errors[:half], *["not scored: the run was stopped"] * (len(errors) - half)],
            )

    monkeypatch.setattr(lab_run, "PlanRun", Halfway)
    test = run(app, ["words", "shouts"])
    row = test.dataframe[0].value.set_index("Model").loc["words"]
    assert row["Right / tie / wrong"].endswith(f" of {N_PAIRS // 2}")
    assert row["Left out"] == f"not scored: the run was stopped: {N_PAIRS // 2}"
    assert accuracy(margins()["words"][: N_PAIRS // 2]) in row["Accuracy"]


def test_the_run_is_saved_with_what_its_report_needs(compared: AppTest):
    compared.button(key="compare-save").click().run()
    until(compared, lambda: list_runs().runs != ())
    (saved,) = list_runs().of_kind("compare")
    assert saved.options["baseline"] == "words"
    assert saved.options["noise_floors"] == {"words": 0.0, "shouts": 0.0}
    assert len(saved.tables["scores"]) == 2 * N_PAIRS
    assert {"prompt", "chosen", "rejected"} <= set(saved.tables["pairs"].columns)


def test_the_python_shown_gives_the_numbers_on_screen(compared: AppTest):
    code = compared.code[-1].value
    space: dict[str, object] = {}
    exec(code.replace("print(", "str("), space)
    result = space["result"]
    shown = compared.dataframe[0].value.set_index("Model")
    for row in result.overview.to_dict(orient="records"):
        value = f"{100 * row['value']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
        assert shown.loc[row["model"]]["Accuracy"] == value


def test_text_of_the_pairs_is_never_read_as_markup(app: AppTest, monkeypatch: pytest.MonkeyPatch):
    evil = "<b>:red[x]</b> $y$"
    pairs = authored_pairs().pairs.head(6).assign(chosen=evil, pair_id=evil)
    source = type(authored_pairs())("evil", pairs)
    monkeypatch.setattr(pair_choice, "authored_pairs", lambda: source)
    test = run(app, ["words", "shouts"], n_pairs=6)
    clicked(test, 2)
    drawn = " ".join(element.value for element in test.html)
    assert "&lt;b&gt;:red[x]&lt;/b&gt;" in drawn
    assert "<b>:red" not in drawn
    assert not any(":red[x]" in element.value for element in test.markdown)
