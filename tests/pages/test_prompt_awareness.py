"""The prompt awareness page against models whose answers are known by hand."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.pair_choice import TYPED
from app_pages.common.prompt_awareness import live_view, parts_view
from app_pages.common.prompt_awareness.setup import NAME, choice_key
from core.engine.service import RewardService
from core.labs.prompt_awareness import ablations, swaps
from core.labs.prompt_awareness.prompt_free import ESTIMATORS
from core.models.function import FunctionRewardModel
from core.pair_sources import authored_pairs, first_prompts
from core.schema import Conversation
from tests.pages.conftest import ROOT, TIMEOUT_S, until

PAGE = "app_pages/labs/prompt_awareness.py"
SWAPS, LIVE, MATRIX, PARTS, ABLATIONS, BOARD = (
    ":material/shuffle: Swapped prompts",
    ":material/edit: One pair, live",
    ":material/grid_on: Matrix",
    ":material/call_split: Prompt-free part",
    ":material/content_cut: Ablations",
    ":material/leaderboard: Leaderboard",
)
WAITING = ("Preparing", "Counting", "Computing", "Splitting", "Comparing", "being measured")
N_PAIRS = 12


def overlap(conversation: Conversation) -> float:
    """Words of the response that the prompt has too: depends on both, and on nothing else."""
    prompt = set(re.findall(r"\w+", conversation[-2]["content"].lower()))
    response = set(re.findall(r"\w+", conversation[-1]["content"].lower()))
    return float(len(prompt & response))


@pytest.fixture
def lab(service: RewardService) -> AppTest:
    """The page as a visitor finds it, with the word counter and few pairs."""
    service.register(FunctionRewardModel("overlap", overlap))
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.session_state[f"{NAME}-models"] = ["words"]
    test.run()
    test.switch_page(PAGE).run()
    test.number_input(key=number_of_pairs(test)).set_value(N_PAIRS)
    return settled(test.run())


def number_of_pairs(test: AppTest) -> str:
    return next(n.key for n in test.number_input if str(n.key).startswith(f"{NAME}-n-Auth"))


def settled(test: AppTest) -> AppTest:
    """Runs the page until it waits for nothing."""
    return until(test, lambda: not is_busy(test))


def is_busy(test: AppTest) -> bool:
    return any(word in caption.value for caption in test.caption for word in WAITING) or any(
        button.key.endswith("-stop") for button in test.button
    )


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state[f"{NAME}-tab"] = tab
    return settled(test.run())


def ran(test: AppTest, lab: str = "swaps") -> AppTest:
    test.button(key=f"{NAME}-{lab}-run").click()
    return settled(test.run())


def metrics(test: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in test.metric}


def captions(test: AppTest) -> str:
    return "\n".join(caption.value for caption in test.caption)


def marked(test: AppTest) -> str:
    return "\n".join(element.value for element in test.markdown)


def pairs() -> pd.DataFrame:
    return first_prompts(authored_pairs().pairs, N_PAIRS)


def n_words(text: str) -> int:
    return len(text.split())


def test_first_screen_asks_the_question_and_offers_one_run_with_its_size(lab: AppTest):
    assert "Does the reward model read the prompt?" in marked(lab)
    button = lab.button(key=f"{NAME}-swaps-run")
    plan = swaps.plan(
        pairs(),
        swaps.SwapOptions(("random", "same-topic", "contradictory", "empty"), 3, slice_by="flaw"),
    )
    assert button.label == f"Run: score {len(plan):,} conversations"
    assert "distinct conversations" in captions(lab)
    assert not lab.metric


def test_a_model_that_never_reads_the_prompt_keeps_all_of_its_gaps(lab: AppTest):
    ran(lab)
    shown = metrics(lab)
    assert shown["Retention"] == "100%"
    assert shown["Flip rate"] == "0%"
    table = pairs()
    gaps = [
        n_words(c) - n_words(r) for c, r in zip(table["chosen"], table["rejected"], strict=True)
    ]
    right = np.mean([(np.sign(gap) + 1) / 2 for gap in gaps])
    assert shown["Accuracy, swapped"] == f"{right:.0%}"
    assert f"{right:.0%} under the own prompts" in captions(lab)
    assert f"n = {N_PAIRS}" in captions(lab)


def test_the_scatter_shows_each_pair_on_the_line_of_equality(lab: AppTest):
    ran(lab)
    chart = json.loads(lab.get("plotly_chart")[0].proto.spec)
    points = next(trace for trace in chart["data"] if trace.get("mode") == "markers")
    assert sorted(points["customdata"]) == sorted(pairs()["pair_id"])


def test_retention_is_the_ratio_of_summed_gaps(lab: AppTest):
    lab.multiselect(key=f"{NAME}-models").set_value(["overlap"])
    settled(lab.run())
    ran(lab)
    options = swaps.SwapOptions(
        ("random", "same-topic", "contradictory", "empty"), 3, slice_by="flaw"
    )
    plan = swaps.plan(pairs(), options)
    rows = plan.requests.assign(reward=[overlap(c) for c in plan.conversations()])
    wide = rows.pivot(index=["kind", "pair_id", "swap"], columns="side", values="reward")
    gap = (wide["chosen"] - wide["rejected"]).groupby(["kind", "pair_id"]).mean()
    expected = gap["random"].sum() / gap["own"].sum()
    assert metrics(lab)["Retention"] == f"{expected:.0%}"


def test_offenders_open_in_the_playground_with_the_same_models(lab: AppTest):
    lab.multiselect(key=f"{NAME}-models").set_value(["overlap"])
    settled(lab.run())
    ran(lab)
    shown = lab.session_state[f"{NAME}-kept-swaps"]
    lab.session_state[f"{NAME}-offenders-gap"] = {"selection": {"rows": [0], "columns": []}}
    settled(lab.run())
    lab.button(key=f"{NAME}-open-offender").click().run()
    assert not lab.exception
    assert lab.session_state["models"] == ["overlap"]
    space = lab.session_state["workspace"]
    prompt, response = space.conversation[:-1], space.conversation[-1]["content"]
    rows = pairs().loc[lambda table: table["chosen"] == response]
    assert space.tree.pinned.messages[-1]["content"] in set(rows["rejected"])
    assert list(space.tree.pinned.messages[:-1]) == prompt
    assert prompt != rows["prompt"].iloc[0]
    # Of all readings it has the largest excess over the pair's own gap.
    _, kept = shown
    worst = swaps.worst_offenders(kept.results["overlap"], most=1).iloc[0]
    assert (worst["chosen"], worst["prompt_text"]) == (response, prompt[-1]["content"])


def test_a_model_that_ignores_the_prompt_has_no_interaction_in_its_matrix(lab: AppTest):
    opened(lab, MATRIX)
    n_prompts = pairs()["prompt_id"].nunique()
    assert f"score {n_prompts**2:,} conversations" in lab.button(key=f"{NAME}-matrix-run").label
    ran(lab, "matrix")
    shown = metrics(lab)
    assert shown["Interaction"] == "0%"
    # All prompts give a response the same reward: the own one stands in the middle.
    assert shown["Rank of the own prompt"] == f"{(n_prompts + 1) / 2:.2f}"


def test_the_prompt_free_part_is_the_whole_gap_by_every_estimator(lab: AppTest):
    opened(lab, PARTS)
    ran(lab)
    for estimator in ESTIMATORS:
        lab.session_state[choice_key("estimator", ESTIMATORS)] = estimator
        settled(lab.run())
        # Differences of many words saturate the sigmoid: the one estimator that cannot say more
        # than its clip says so.
        clipped = estimator == "marginal-matching"
        assert (metrics(lab)["Prompt-free share"] == "100%") is not clipped, estimator
        assert ("pairs are undetermined" in captions(lab)) is clipped, estimator
    assert "**Our reading** of arXiv 2504.06020" in captions(lab)


def test_training_weights_come_with_the_pairs_they_weigh(lab: AppTest):
    opened(lab, PARTS)
    ran(lab)
    _, kept = lab.session_state[f"{NAME}-kept-weights"]
    lines = parts_view.weighted_pairs(pairs(), kept["words"]).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == N_PAIRS
    assert np.mean([row["weight"] for row in rows]) == pytest.approx(1)
    gaps = {p.pair_id: abs(n_words(p.chosen) - n_words(p.rejected)) for p in pairs().itertuples()}
    tau = np.median(list(gaps.values()))
    weights = {name: np.exp(-gap / tau) for name, gap in gaps.items()}
    mean = np.mean(list(weights.values()))
    for row in rows:
        assert row["weight"] == pytest.approx(weights[row["pair_id"]] / mean)


def test_ablations_cost_what_the_formula_says(lab: AppTest):
    opened(lab, ABLATIONS)
    ran(lab, "ablations")
    _, kept = lab.session_state[f"{NAME}-kept-ablations"]
    changes = kept.results["words"].changes
    question = changes.loc[changes["ablation"] == "remove-question", "change"]
    assert (question == 0).all()
    assert "without the question the reward moves by +0.00 standard deviations" in marked(lab)
    plan = ablations.plan(pairs())
    words = [n_words(c[-1]["content"]) for c in plan.conversations()]
    by_edit = plan.requests.assign(reward=words).set_index(["pair_id", "ablation"])["reward"]
    shown = changes.set_index(["pair_id", "ablation"])["change"]
    for (pair, edit), change in shown.items():
        assert change == by_edit[pair, edit] - by_edit[pair, "original"]


def test_the_leaderboard_puts_the_model_that_reads_the_prompt_first(lab: AppTest):
    lab.multiselect(key=f"{NAME}-models").set_value(["words", "overlap"])
    settled(lab.run())
    opened(lab, BOARD)
    ran(lab)
    text = marked(lab)
    assert 0 < text.find("overlap") < text.find("words")
    assert "overlap minus words" in text or "words minus" in text


def test_a_model_that_fails_stops_nobody(lab: AppTest):
    lab.multiselect(key=f"{NAME}-models").set_value(["words", "broken"])
    settled(lab.run())
    ran(lab)
    assert metrics(lab)["Retention"] == "100%"
    opened(lab, BOARD)
    assert "broken: cannot say" in marked(lab)


def test_stopped_halfway_shows_what_is_there_and_can_go_on(lab: AppTest):
    ran(lab)
    started = lab.session_state[f"lab-{NAME}-swaps"]
    for run in started.runs.values():
        run.job._state = "stopped"  # as Stop leaves it
        for index in range(20, run.job.total):
            run.job._rows.pop(index, None)
    settled(lab.run())
    assert any("Continue" in button.label for button in lab.button)
    assert "Stopped" in captions(lab)
    assert "have no reward" in captions(lab)
    assert "Retention" in metrics(lab)


def test_one_pair_draws_prompts_from_elsewhere_and_claims_no_interval(lab: AppTest):
    lab.session_state[f"{NAME}-pairs"] = TYPED
    settled(lab.run())
    assert "drawn from the authored pairs" in captions(lab)
    ran(lab)
    assert "cannot say" in marked(lab)
    opened(lab, MATRIX)
    assert any("at least two prompts" in info.value for info in lab.info)


def test_no_model_says_what_to_do(lab: AppTest):
    lab.multiselect(key=f"{NAME}-models").set_value([])
    settled(lab.run())
    for tab in (SWAPS, LIVE, MATRIX, PARTS, ABLATIONS, BOARD):
        opened(lab, tab)
        assert not lab.metric
        assert not lab.exception


def test_live_margins_are_the_models_own_under_each_typed_prompt(lab: AppTest):
    lab.multiselect(key=f"{NAME}-models").set_value(["overlap"])
    settled(lab.run())
    sources = [live_view.PLAYGROUND, live_view.TABLE]
    lab.session_state[choice_key("live-source", sources)] = live_view.TABLE
    opened(lab, LIVE)
    box = next(b for b in lab.selectbox if str(b.key).startswith(f"{NAME}-live-pair"))
    pair = pairs().set_index("pair_id").loc[box.value]
    field = next(t for t in lab.text_input if t.label == "Other prompt 1")
    asked = " ".join(pair["rejected"].split()[:8])
    field.set_value(asked)
    settled(lab.run())

    def margin(words: str) -> float:
        prompt = {"role": "user", "content": words}
        sides = [overlap([prompt, {"role": "assistant", "content": pair[s]}]) for s in SIDES]
        return sides[0] - sides[1]

    own = margin(pair["prompt"][-1]["content"])
    values = [metric.value for metric in lab.metric]
    assert values[0] == f"{own:+.3f}"
    assert values[1] == f"{margin(asked):+.3f}"
    assert lab.metric[1].delta == f"{margin(asked) - own:+.3f}"


SIDES = ("chosen", "rejected")


@pytest.mark.parametrize(
    ("own", "other", "word"),
    [
        (1.0, 0.5, "holds"),
        (1.0, -0.5, "flips"),
        (-1.0, 0.5, "flips"),
        (1.0, 0.01, "no preference left"),
        (0.0, 1.0, "no own preference"),
    ],
)
def test_a_preference_holds_flips_or_is_lost_in_the_noise(own: float, other: float, word: str):
    assert live_view.holds(own, other, 0.02)[0] == word


def test_the_python_on_the_page_gives_the_same_numbers(lab: AppTest, tmp_path: Path, capsys):
    ran(lab)
    (code,) = (block.value for block in lab.code)
    scope: dict[str, object] = {}
    exec(compile(code, "shown", "exec"), scope)
    (result,) = scope["results"].values()
    assert result.measures["random"].retention.estimate.value == 1


def test_no_tab_logs_a_deprecation(lab: AppTest, caplog: pytest.LogCaptureFixture):
    ran(lab)
    for tab in (LIVE, MATRIX, PARTS, ABLATIONS, BOARD):
        opened(lab, tab)
    assert not [r.getMessage() for r in caplog.records if "deprecat" in r.getMessage().lower()]
