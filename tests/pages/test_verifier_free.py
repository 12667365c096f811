"""The verifier-free page against numbers worked out by hand, on planted and live likelihoods."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.verifier_free import own_file, source
from app_pages.common.verifier_free.setup import FILE, NAME, OWN
from app_pages.common.verifier_free.source import own_problem
from app_pages.common.verifier_free.tokens_view import tokens_html
from core.labs.verifier_free.aggregates import Span
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
    monkeypatch.setattr(source, "recorded_scores", planted)


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
    assert drawn.count("0.4150") == 2
    assert "which is right, gets the highest reward** (0.4150" in marked(test)
    # Clipped at 0, wrong traces get (.6 + .3 - .7) / 2 and the format.
    assert drawn.count("0.1900") == 2


def test_the_first_screen_says_how_often_the_reward_is_right_and_what_length_and_copying_do(
    service, scores
):
    said = marked(opened())
    assert "Over 24 problems" in said
    assert "in 100% [100 to 100] of pairs" in said
    assert (
        "where its own words cannot be copied, in 100% [100 to 100] (48 traces of 12 problems)"
        in said
    )
    assert "The longer trace is the right one in 50% [50 to 50]" in said


def test_hovering_tells_what_a_certain_token_would_change():
    drawn = tokens_html(["a", " "], np.log([0.5, 0.2]))
    assert "p = 0.5000" in drawn
    assert "mean probability +0.2500, product +0.1000" in drawn
    assert "␣" in drawn


def test_a_first_blank_is_told_but_not_drawn_and_tokens_that_do_not_count_fade():
    drawn = tokens_html([" the", " four"], np.log([0.5, 0.2]), Span(start=1))
    assert ">the</span>" in drawn
    assert "“␣the”" in drawn
    assert drawn.count("opacity") == 1
    assert "mean probability +0.8000" in drawn  # of the second alone


def test_without_the_baseline_and_with_the_product_the_reward_is_another(service, scores):
    test = opened()
    test.toggle(key=f"{NAME}-baseline").set_value(False)
    group = next(g for g in test.segmented_control if g.label == "Score of the reference")
    group.set_value("product")
    settled(test.run())
    assert htmls(test).count("<strong>0.5050</strong>") == 2  # .9 · .45 + .1


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
    monkeypatch.setattr(source, "shared_language_model", lambda *_, **__: model)
    test = opened()
    group = next(g for g in test.segmented_control if g.label == "Likelihoods of")
    group.set_value(OWN)
    test.run()
    assert "press Read them" in captions(test)
    next(b for b in test.button if b.label == "Read them").click()
    settled(test.run())
    assert re.search("After trace a <span[^>]*>right<", htmls(test))
    assert re.search("After trace b <span[^>]*>wrong<", htmls(test))
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


def chosen_source(test: AppTest, kind: str) -> AppTest:
    group = next(g for g in test.segmented_control if g.label == "Likelihoods of")
    group.set_value(kind)
    return test.run()


def test_logged_likelihoods_of_a_file_are_shown_like_the_recorded_ones(service, scores):
    data = io.BytesIO()
    planted().drop(columns=["n_trace_tokens", "entropy", "pieces"]).to_parquet(data)
    test = chosen_source(opened(), FILE)
    assert "One row a trace" in captions(test)
    test.file_uploader(key=f"{NAME}-file").set_value(
        ("mine.parquet", data.getvalue(), "application/octet-stream")
    )
    settled(test.run())
    assert "in 100% [100 to 100] of pairs" in marked(test)
    assert "[1]" in htmls(test)  # tokens without texts have numbers
    assert "The longer trace" not in marked(test)
    (code,) = [c.value for c in test.code if "RewardOptions" in c.value]
    assert "read_own_file(Path('mine.parquet')" in code


def test_texts_of_a_file_are_read_live_and_bounded(
    service, scores, monkeypatch: pytest.MonkeyPatch
):
    model = tiny_language_model()
    monkeypatch.setattr(own_file, "shared_language_model", lambda *_, **__: model)
    rows = [
        {"question": f"q{n}?", "reference": "four", "trace": text, "correct": text == "yes"}
        for n in range(own_file.MOST_PROBLEMS + 1)
        for text in ("yes", "no")
    ]
    data = "\n".join(json.dumps(row) for row in rows).encode()
    test = chosen_source(opened(), FILE)
    test.file_uploader(key=f"{NAME}-file").set_value(("mine.jsonl", data, "text/plain"))
    settled(test.run())
    assert f"Over {own_file.MOST_PROBLEMS} problems" in marked(test)
    assert "problems beyond the first 24 (1)" in captions(test).replace("\\", "")
    assert "yes" in [each.value for each in test.text]


def test_a_file_that_cannot_be_used_says_what_is_missing(service, scores):
    test = chosen_source(opened(), FILE)
    test.file_uploader(key=f"{NAME}-file").set_value(("bad.csv", b"a,b\n1,2\n", "text/csv"))
    settled(test.run())
    assert "no column question, reference, trace" in test.error[0].value.replace("\\", "")


def test_only_the_last_token_counts_where_that_is_wanted(service, scores):
    test = opened()
    test.selectbox(key=f"{NAME}-part").set_value("last")
    settled(test.run())
    drawn = htmls(test)
    assert drawn.count("0.3700") == 2  # .9 · (.5 - .2) + .1
    assert "Does not count." in drawn
    (code,) = [c.value for c in test.code if "RewardOptions" in c.value]
    assert "restrict(scores, Part(which='last', n=1, text=''))" in code


def test_the_python_of_the_page_runs(service, scores, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.problem_scores.recorded_scores", planted)
    test = opened()
    (code,) = [c.value for c in test.code if "RewardOptions" in c.value]
    scope: dict = {}
    exec(code, scope)
    assert scope["options"].score == "mean"
    assert sorted(scope["likelihoods"]) == pytest.approx([0.18, 0.18, 0.45, 0.45])
