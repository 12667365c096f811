"""The verifier-free page against numbers worked out by hand, on planted and live likelihoods."""

import json

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.verifier_free import setup as choices
from app_pages.common.verifier_free.setup import NAME, OWN, own_problem
from app_pages.common.verifier_free.tokens_view import tokens_html
from core.problems import authored_problems
from tests.pages.conftest import ROOT, TIMEOUT_S, until
from tests.tiny import tiny_language_model

PAGE = "app_pages/labs/verifier_free.py"
TOKENS, GROUP, QUALITY, FILTER, LENGTH, PARAPHRASES, VARIANCE = (
    ":material/format_color_text: Tokens",
    ":material/view_column: Three methods",
    ":material/check_circle: Right from wrong",
    ":material/filter_alt: Filter",
    ":material/straighten: Length and entropy",
    ":material/translate: Paraphrases",
    ":material/casino: Variance",
)


def planted() -> pd.DataFrame:
    """Every right trace gives .9 and .5 to two tokens, every wrong one .6 and .3; bare .5, .2."""
    rows = []
    for number, problem in enumerate(authored_problems()[:24]):
        for trace in problem.traces:
            p = (0.9, 0.5) if trace.correct else (0.6, 0.3)
            for wording in (0, 1):
                shift = 0.5 ** (wording * (number % 2))
                rows.append(
                    {
                        "problem_id": problem.problem_id,
                        "domain": problem.domain,
                        "trace_id": trace.trace_id,
                        "correct": trace.correct,
                        "wording": wording,
                        "reference": problem.wordings[wording],
                        "pieces": ["six", "<b>ty"],
                        "ref_log_probabilities": np.log(p) + np.log(shift),
                        "ref_log_probabilities_without": np.log([0.5, 0.2]),
                        "n_trace_tokens": 60 + 10 * number,
                        "entropy": 1.0 + number / 10,
                        "names_reference": bool(number % 2),
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "recorded_scores", planted)


def opened(tab: str = TOKENS, **state: object) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.run()
    test.session_state[f"{NAME}-tab"] = tab
    for name, value in state.items():
        test.session_state[name] = value
    test.switch_page(PAGE).run()
    return settled(test)


def settled(test: AppTest) -> AppTest:
    return until(test, lambda: not any("hourglass_empty" in c.value for c in test.caption))


def marked(test: AppTest) -> str:
    return "\n".join(element.value for element in test.markdown)


def captions(test: AppTest) -> str:
    return "\n".join(element.value for element in test.caption)


def htmls(test: AppTest) -> str:
    return "\n".join(element.proto.body for element in test.get("html"))


def charts(test: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def test_tokens_are_coloured_with_a_reward_at_once(service, scores):
    test = opened()
    drawn = htmls(test)
    assert "six" in drawn
    assert "&lt;b&gt;ty" in drawn  # never read as markup
    assert "<b>" not in drawn
    # .9 · ((.9 + .5) / 2 - (.5 + .2) / 2) + .1
    assert "reward 0.4150" in drawn
    assert "which is right, gets the highest reward** (0.4150" in marked(test)


def test_hovering_tells_what_a_certain_token_would_change():
    drawn = tokens_html(["a", " "], np.log([0.5, 0.2]))
    assert "p = 0.5000" in drawn
    assert "mean probability +0.2500, product +0.1000" in drawn
    assert "␣" in drawn


def test_without_the_baseline_and_with_the_product_the_reward_is_another(service, scores):
    test = opened()
    test.toggle(key=f"{NAME}-baseline").set_value(False)
    group = next(g for g in test.segmented_control if g.label == "Score of the reference")
    group.set_value("product")
    settled(test.run())
    assert "reward 0.5050" in htmls(test)  # .9 · .45 + .1


def test_three_methods_prefer_the_right_traces(service, scores):
    test = opened(GROUP)
    said = marked(test)
    for method in ("VeriFree", "RLPR", "NOVER"):
        assert f"**{method}** prefers trace" in said
    bars = charts(test)[0]["data"]
    # RLOO on (.45, .45, .18, .18): .45 - (.45 + .18 + .18) / 3 = .18
    assert sorted(bars[0]["y"]) == pytest.approx([-0.18, -0.18, 0.18, 0.18])


def test_areas_of_separated_traces_are_one_with_n_and_length_beside(service, scores):
    test = opened(QUALITY)
    said = marked(test)
    assert "area 1.000" in said
    assert "Length alone has 0.500" in said
    assert "do not name the reference it is 1.000" in said
    assert "96 traces of 24 problems" in captions(test)


def test_the_filter_keeps_all_at_half_and_none_above_the_average(service, scores):
    test = opened(FILTER)
    # Twelve steps of four groups, all with the same spread; two are after the start.
    assert "keeps 8 of 8 groups" in marked(test)
    test.slider(key=f"{NAME}-beta").set_value(1.05)
    settled(test.run())
    assert "keeps 0 of 8 groups" in marked(test)


def test_length_and_entropy_have_intervals(service, scores):
    test = opened(LENGTH)
    assert "Reward and length, within problems" in marked(test)
    assert "96 traces of 24 problems" in captions(test)


def test_a_paraphrase_that_halves_all_probabilities_turns_no_pair_round(service, scores):
    test = opened(PARAPHRASES)
    assert "turns round 0% of the pairs" in marked(test)
    assert "24 problems" in captions(test)


def test_variances_of_the_estimators_by_hand(service, scores):
    test = opened(VARIANCE)
    # R is .45 twice and .18 twice: between .135² = .018225; within mean of .2475 and .1476.
    ours, theirs = 0.018225 / 8, (0.018225 + 0.19755) / 8
    assert f"({theirs:.3g} against {ours:.3g})" in marked(test)
    assert f"{theirs / ours:,.1f} times" in marked(test)


def test_an_own_question_is_read_live_and_told_with_its_labels(
    service, scores, monkeypatch: pytest.MonkeyPatch
):
    model = tiny_language_model()
    monkeypatch.setattr(choices, "shared_language_model", lambda *_, **__: model)
    test = opened()
    group = next(g for g in test.segmented_control if g.label == "Likelihoods of")
    group.set_value(OWN)
    test.run()
    assert "press Read them" in captions(test)
    next(b for b in test.button if b.label == "Read them").click()
    settled(test.run())
    assert "After trace a (right)" in htmls(test)
    assert "After trace b (wrong)" in htmls(test)
    assert "gets the highest reward" in marked(test)


def test_typed_traces_are_parted_and_labelled():
    problem = own_problem("q?", " r ", "x | ", "+ yes\n\n- no\nmore\n\n\nmaybe")
    assert [(t.text, t.correct) for t in problem.traces] == [
        ("yes", True),
        ("no\nmore", False),
        ("maybe", None),
    ]
    assert problem.wordings == ("r", "x")


def test_an_empty_own_question_is_explained(service, scores):
    test = opened()
    group = next(g for g in test.segmented_control if g.label == "Likelihoods of")
    group.set_value(OWN)
    test.run()
    test.text_area(key=f"{NAME}-own-question").set_value("  ")
    next(b for b in test.button if b.label == "Read them").click()
    test.run()
    assert "must not be empty" in test.error[0].value


def test_the_python_of_the_page_runs(service, scores, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.problem_scores.recorded_scores", planted)
    test = opened()
    (code,) = [c.value for c in test.code if "RewardOptions" in c.value]
    scope: dict = {}
    exec(code, scope)
    assert scope["options"].score == "mean"
    assert sorted(scope["likelihoods"]) == pytest.approx([0.18, 0.18, 0.45, 0.45])
