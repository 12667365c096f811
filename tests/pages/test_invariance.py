"""The counterfactual invariance page against models whose answers are known by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.invariance.battery_view import changes_key, effects_key
from app_pages.common.invariance.heads import COEFFICIENTS
from app_pages.common.invariance.heads_view import PLANTED, REAL
from app_pages.common.invariance.setup import DEFAULT_EDITS, NAME, choice_key, group_key
from app_pages.common.pair_choice import TYPED
from core.engine.service import RewardService
from core.labs.attributes import attributes
from core.labs.invariance import battery
from core.labs.invariance.tables import Findings, to_tables
from core.models.card import RewardModelCard
from core.models.function import FunctionRewardModel
from core.models.loading import load_card_model
from core.pair_sources import authored_pairs, first_prompts
from core.perturbations import get, perturbations
from core.report import result_sections
from core.schema import Conversation
from tests import tiny
from tests.pages.conftest import ROOT, TIMEOUT_S, until

PAGE = "app_pages/labs/invariance.py"
BATTERY, ATTRIBUTES, RATES, HEADS = (
    ":material/rule: Edits",
    ":material/bar_chart: Attributes",
    ":material/autorenew: Rewriting",
    ":material/build: Fix it here",
)
WAITING = (" …", "being measured")
N_PAIRS = 12
EDITS = {
    "nothing": ["extra-newlines", "paraphrase-prompt", "swap-names"],
    "lower": ["drop-sentence", "truncate"],
    "raise": ["finish"],
    "shortcut": ["padding", "exclamation"],
}
CHOSEN = tuple(
    each.name for each in perturbations() if any(each.name in names for names in EDITS.values())
)


def nothing_at_all(conversation: Conversation) -> float:
    """The same reward for everything."""
    return 1.0


@pytest.fixture
def lab(service: RewardService) -> AppTest:
    """The page as a visitor finds it, with the word counter, few pairs and few edits."""
    service.register(FunctionRewardModel("constant", nothing_at_all))
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.session_state[f"{NAME}-models"] = ["words"]
    for group, names in EDITS.items():
        test.session_state[group_key(group)] = names
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
        str(button.key).endswith("-stop") for button in test.button
    )


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state[f"{NAME}-tab"] = tab
    return settled(test.run())


def ran(test: AppTest, lab: str = "battery") -> AppTest:
    test.button(key=f"{NAME}-{lab}-run").click()
    return settled(test.run())


def models(test: AppTest, *names: str) -> AppTest:
    test.multiselect(key=f"{NAME}-models").set_value(list(names))
    return settled(test.run())


def captions(test: AppTest) -> str:
    return "\n".join(caption.value for caption in test.caption)


def marked(test: AppTest) -> str:
    return "\n".join(element.value for element in test.markdown)


def few(test: AppTest, key: str, n: int = 30) -> AppTest:
    box = next(n for n in test.number_input if str(n.key).startswith(f"{NAME}-{key}-n-"))
    box.set_value(n)
    return settled(test.run())


def pairs(n: int = N_PAIRS) -> pd.DataFrame:
    return first_prompts(authored_pairs().pairs, n)


def kept(test: AppTest, part: str):
    return test.session_state[f"{NAME}-kept-{part}"][1]


def effect(test: AppTest, name: str, dose: int, model: str = "words") -> pd.Series:
    effects = kept(test, "battery").results[model].effects
    return effects.set_index(["perturbation", "dose"]).loc[(name, dose)]


def test_first_choice_of_edits_fits_the_authored_pairs():
    assert len(perturbations()) >= 30
    plan = battery.plan(pairs(20), battery.BatteryOptions(DEFAULT_EDITS))
    edits = plan.requests[plan.requests["perturbation"] != ""]
    assert edits.groupby("perturbation")["applied"].mean().min() > 0.25
    assert set(edits["group"]) == {"nothing", "lower", "shortcut"}


def test_first_screen_asks_the_question_and_offers_one_run_with_its_size(lab: AppTest):
    assert "Does the reward move when only the manner changes?" in marked(lab)
    plan = battery.plan(pairs(), battery.BatteryOptions(CHOSEN, doses="all"))
    assert lab.button(key=f"{NAME}-battery-run").label == f"Run: score {len(plan):,} conversations"
    n_distinct = len({json.dumps(conversation) for conversation in plan.conversations()})
    assert f"{n_distinct:,} distinct conversations" in captions(lab)


def test_changes_and_slopes_are_those_counted_by_hand(lab: AppTest):
    ran(lab)
    added = {1: [], 2: [], 4: []}
    for dose, changes in added.items():
        for row in pairs().itertuples():
            for text in (row.chosen, row.rejected):
                conversation = [*row.prompt, {"role": "assistant", "content": text}]
                outcome = get("padding").apply(conversation, 0, dose)
                if outcome.applied:
                    after = outcome.conversation[-1]["content"]
                    changes.append(len(after.split()) - len(text.split()))
    for dose, changes in added.items():
        row = effect(lab, "padding", dose)
        assert row["change"] == pytest.approx(np.mean(changes))
        assert row["n"] == len(changes)
    (slope,) = kept(lab, "battery").results["words"].doses["slope"]
    # Line through 0 and the three doses of each response, by NumPy.
    lines = [
        np.polyfit([0, 1, 2, 4], [0, *each], 1)[0] for each in zip(*added.values(), strict=True)
    ]
    assert slope == pytest.approx(np.mean(lines))


def test_verdicts_of_a_word_counter_are_what_a_word_counter_deserves(lab: AppTest):
    ran(lab)
    verdicts = {name: effect(lab, name, dose)["verdict"] for name, dose in
                [("padding", 2), ("extra-newlines", 1), ("truncate", 1)]}  # fmt: skip
    assert verdicts == {
        "padding": "rewarded",
        "extra-newlines": "did not move",
        "truncate": "dropped",
    }
    assert "words: " in marked(lab)
    assert "edits were not answered as they should be" in marked(lab)
    assert "Pad with empty sentences" in captions(lab)


def test_a_constant_reward_is_never_accused_of_moving(lab: AppTest):
    models(lab, "constant")
    ran(lab)
    effects = kept(lab, "battery").results["constant"].effects
    assert set(effects.loc[effects["n"] > 0, "change"]) == {0.0}
    assert not {"moved", "rewarded"} & set(effects["verdict"])


def test_pairs_whose_prompts_differ_are_left_out_of_flips_and_counted(lab: AppTest):
    ran(lab)
    run = kept(lab, "battery")
    prompts: dict[str, set[str]] = {}
    for (pair, _, name, _), conversation in run.conversations.items():
        if name == "swap-names":
            prompts.setdefault(pair, set()).add(json.dumps(conversation[:-1]))
    n_differ = sum(len(each) > 1 for each in prompts.values())
    row = effect(lab, "swap-names", 1)
    assert row["n_prompts_differ"] == n_differ
    assert row["n_flip"] + n_differ <= row["n_applied"]


def test_a_row_shows_the_pairs_that_moved_most_and_opens_them_in_the_playground(lab: AppTest):
    ran(lab)
    effects = kept(lab, "battery").results["words"].effects
    order = ["nothing", "lower", "raise", "shortcut"]
    ordered = effects.assign(at=effects["group"].map(order.index)).sort_values("at", kind="stable")
    names = list(zip(ordered["perturbation"], ordered["dose"], strict=True))
    at = names.index(("padding", 4))
    lab.session_state[effects_key("words")] = {"selection": {"rows": [at], "columns": []}}
    lab.session_state[changes_key("words", "padding", 4)] = {"selection": {"rows": [0]}}
    settled(lab.run())
    changes = kept(lab, "battery").changes["words"]
    own = changes[(changes["perturbation"] == "padding") & (changes["dose"] == 4)]
    assert f"{own['change'].abs().max():.0f}" in {
        f"{table.value['change'].iloc[0]:.0f}"
        for table in lab.dataframe
        if "before" in table.value.columns
    }
    lab.button(key=f"{NAME}-open").click().run()
    assert not lab.exception
    space = lab.session_state["workspace"]
    after, before = space.conversation[-1]["content"], space.tree.pinned.messages[-1]["content"]
    assert len(after.split()) - len(before.split()) == own["change"].max()
    assert lab.session_state["models"] == ["words"]


def test_stopped_halfway_shows_what_is_there_and_goes_on_without_losing_it(lab: AppTest):
    ran(lab)
    whole = effect(lab, "padding", 4)["n"]
    started = lab.session_state[f"lab-{NAME}-battery"]
    half = started.runs["words"].job.total // 2
    for run in started.runs.values():
        run.job._state = "stopped"  # as Stop leaves it
        for index in range(half, run.job.total):
            run.job._rows.pop(index, None)
    settled(lab.run())
    assert any("Continue" in button.label for button in lab.button)
    assert "Stopped" in captions(lab)
    assert 0 < effect(lab, "padding", 4)["n"] < whole
    ran(lab)
    assert effect(lab, "padding", 4)["n"] == whole
    assert not any("Continue" in button.label for button in lab.button)


def test_a_model_that_fails_stops_nobody(lab: AppTest):
    models(lab, "words", "broken")
    ran(lab)
    results = kept(lab, "battery").results
    assert results["words"].effects["n"].max() > 0
    assert results["broken"].effects["n"].max() == 0
    assert sum(results["broken"].left_out.values()) == N_PAIRS
    opened(lab, ATTRIBUTES)
    few(lab, "attributes")
    ran(lab, "pairs")
    assert not lab.exception


def test_one_pair_claims_no_interval_and_no_verdict(lab: AppTest):
    lab.session_state[f"{NAME}-pairs"] = TYPED
    settled(lab.run())
    ran(lab)
    effects = kept(lab, "battery").results["words"].effects
    assert set(effects["verdict"]) == {"cannot say"}
    for tab, name in ((ATTRIBUTES, "pairs"), (RATES, "rate")):
        opened(lab, tab)
        if any(button.key == f"{NAME}-{name}-run" for button in lab.button):
            ran(lab, name)
        assert not lab.exception


def test_no_edit_and_no_model_say_what_to_do(lab: AppTest):
    lab.button(key=f"{NAME}-edits-none").click()
    settled(lab.run())
    assert any("at least one edit" in info.value for info in lab.info)
    models(lab)
    for tab in (BATTERY, ATTRIBUTES, RATES, HEADS):
        opened(lab, tab)
        assert not lab.exception


def test_a_word_counter_depends_on_length_and_says_how_much(lab: AppTest):
    opened(lab, ATTRIBUTES)
    few(lab, "attributes")
    ran(lab, "pairs")
    scan = kept(lab, "scans")["words"].table
    assert set(scan["attribute"]) == {each.name for each in attributes()}
    length = scan.set_index(["kind", "attribute"]).loc[("unconditional", "words")]
    assert length["p_adjusted"] < 0.01
    assert "Words" in marked(lab)
    # The reward is the attribute, but for a rare word that the two count differently.
    found = kept(lab, "attributes")["words"]
    assert found.dependence.slope.value == pytest.approx(1.0, abs=0.001)
    assert "Slope +1.000" in captions(lab)


def test_length_that_an_edit_puts_in_is_found(lab: AppTest):
    opened(lab, ATTRIBUTES)
    lab.session_state[choice_key("reading", ("written", "planted"))] = "planted"
    settled(lab.run())
    ran(lab, "planted")
    planted = kept(lab, "planted")
    assert "attribute_planted" in to_tables(Findings(planted=planted))
    table = planted["words"].table.set_index(["kind", "attribute"])
    assert table.loc[("unconditional", "words"), "p_adjusted"] < 0.01
    assert "moves when these are put in: Words" in marked(lab)


def test_concept_words_are_one_more_attribute(lab: AppTest):
    opened(lab, ATTRIBUTES)
    few(lab, "attributes")
    lab.text_input(key=f"{NAME}-concept").set_value("water, train*")
    ran(lab, "pairs")
    table = kept(lab, "scans")["words"].table
    assert len(table) == 2 * (len(attributes()) + 1)
    assert "concept" in set(table["attribute"])


def test_padding_is_worth_its_words_by_the_double_rewrite(lab: AppTest):
    opened(lab, RATES)
    few(lab, "rates", 20)
    ran(lab, "rate")
    result = kept(lab, "rates")["words"]
    assert "changes the reward by" in marked(lab)
    responses = result.responses
    # Contractions written out are more words: having them costs, by exactly the words saved.
    ate = result.effects.set_index(["estimator", "effect"]).loc[("double rewrite", "ATE")]
    sign = np.where(responses["has_attribute"], 1, -1)
    assert ate["value"] == pytest.approx(
        float(np.mean(sign * (responses["double"] - responses["rewrite"])))
    )
    assert ate["value"] < 0


def test_models_without_hidden_states_say_so(lab: AppTest):
    opened(lab, HEADS)
    few(lab, "heads", 12)
    lab.button(key=f"{NAME}-states-real-run").click()
    settled(lab.run())
    assert any("gives no hidden states" in error.value for error in lab.error)


def test_the_report_of_the_page_has_the_verdicts(lab: AppTest):
    ran(lab)
    from core.labs.invariance.tables import Findings, to_tables

    run = kept(lab, "battery")
    tables = to_tables(Findings(batteries=run.results, changes=run.changes))
    sections = result_sections(NAME, tables, {})
    assert "words, must not pay: " in sections[0].text
    assert len(sections[0].figures) == 2


def test_the_python_on_the_page_gives_the_same_numbers(lab: AppTest, tmp_path: Path, capsys):
    ran(lab)
    (code,) = (block.value for block in lab.code)
    scope: dict[str, object] = {}
    exec(compile(code, "shown", "exec"), scope)
    mine, theirs = kept(lab, "battery").results["words"], scope["results"]["words"]
    pd.testing.assert_frame_equal(mine.effects, theirs.effects)


@pytest.fixture
def with_states(service: RewardService, tmp_path: Path) -> str:
    """A tiny decoder in the service; returns its id."""
    content = tiny.card_content("llama", tiny.save_model("llama", tmp_path / "llama"))
    model = load_card_model(RewardModelCard.model_validate(content), device="cpu")
    service.register(model)
    return model.card.id


def in_heads(test: AppTest, model: str, *, planted: bool = False) -> AppTest:
    models(test, model)
    opened(test, HEADS)
    if planted:
        test.session_state[choice_key("head-data", [REAL, PLANTED])] = PLANTED
        settled(test.run())
    few(test, "heads", 40)
    name = "planted" if planted else "real"
    test.button(key=f"{NAME}-states-{name}-run").click()
    return settled(test.run())


def test_heads_on_hidden_states_move_along_the_frontier(with_states: str, lab: AppTest):
    in_heads(lab, with_states)
    points = kept(lab, "heads")[with_states].points
    assert points["coefficient"].tolist() == list(COEFFICIENTS)
    # The penalty a head is trained with never grows with its weight.
    assert (np.diff(points["penalty"]) < 1e-6).all()
    shown = {metric.label: metric.value for metric in lab.metric}
    assert shown["Held-out accuracy"] == f"{points['accuracy'].iloc[3]:.0%}"
    assert shown["Squared MMD"] == f"{points['mmd'].iloc[3]:.3f}"
    assert "5-fold cross-validation" in marked(lab)
    lab.select_slider(key=f"{NAME}-lambda").set_value(10.0)
    settled(lab.run())
    shown = {metric.label: metric.value for metric in lab.metric}
    assert shown["Squared MMD"] == f"{points['mmd'].iloc[-1]:.3f}"


def test_a_planted_bias_is_paid_for_by_the_plain_head_and_less_by_the_blind_one(
    with_states: str, lab: AppTest
):
    in_heads(lab, with_states, planted=True)
    result = kept(lab, "biased-heads")[with_states]
    assert result.points["n_with"].iloc[0] > result.points["n_against"].iloc[0]
    paid = next(t.value for t in lab.dataframe if "paid" in t.value.columns)["paid"]
    assert paid.iloc[0] > 0
    assert abs(paid.iloc[-1]) < paid.iloc[0] / 2
    assert any(metric.label == "Paid for the edit alone" for metric in lab.metric)


def test_a_plan_of_more_pairs_is_the_same_source_drawn_further():
    few_pairs, more = first_prompts(authored_pairs().pairs, 12), pairs(30)
    assert set(few_pairs["pair_id"]) <= set(more["pair_id"])
