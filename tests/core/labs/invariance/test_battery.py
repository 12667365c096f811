"""The battery: what it plans, and numbers that can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from core.errors import PerturbationError, TableError
from core.labs.invariance import battery
from core.labs.invariance.battery import BatteryOptions, BatteryResult
from core.labs.plan import Plan
from core.perturbations import (
    Edited,
    EditRequest,
    NotApplicable,
    Perturbation,
    perturbations,
    register,
    unregister,
)

from .made import made_pairs


def add_words(request: EditRequest) -> Edited:
    if "cannot" in request.text:
        raise NotApplicable("It says cannot.")
    return Edited(request.text + " more" * request.dose, "words added")


def shout(request: EditRequest) -> Edited:
    return Edited(request.text.upper(), "capitals")


@pytest.fixture(autouse=True)
def own_perturbations():
    register(
        Perturbation(
            "add-words", "Add words", "shortcut", "Adds.", "response", add_words, (1, 2, 4), 2
        )
    )
    register(Perturbation("shout-prompt", "Shout", "nothing", "Shouts.", "prompt", shout))
    yield
    unregister("add-words")
    unregister("shout-prompt")


OPTIONS = BatteryOptions(("add-words", "shout-prompt"), doses="all", n_resamples=200)


def length(conversation) -> float:
    return float(conversation[-1]["content"].count(" more"))


def scored(plan: Plan, scorer) -> pd.DataFrame:
    return plan.scored([scorer(conversation) for conversation in plan.conversations()])


def run(n: int = 20, scorer=length, options: BatteryOptions = OPTIONS) -> BatteryResult:
    return battery.run(scored(battery.plan(made_pairs(n), options), scorer), options)


def effect(result: BatteryResult, name: str, dose: int) -> pd.Series:
    rows = result.effects.set_index(["perturbation", "dose"])
    return rows.loc[(name, dose)]


def test_plan_holds_every_pair_unedited_and_every_edit_of_it() -> None:
    plan = battery.plan(made_pairs(3), OPTIONS)
    counts = plan.requests.groupby("perturbation").size().to_dict()
    assert counts == {"": 6, "add-words": 18, "shout-prompt": 6}
    assert list(plan.requests.columns) == [*battery.KEY_COLUMNS, "conversation"]
    assert plan.left_out == {"add-words: It says cannot.": 9}


def test_an_edit_that_did_not_apply_repeats_the_unedited_conversation() -> None:
    requests = battery.plan(made_pairs(2), OPTIONS).requests
    missed = requests[(requests["perturbation"] == "add-words") & ~requests["applied"]]
    unedited = requests[requests["perturbation"] == ""].set_index(["pair_id", "side"])
    for row in missed.itertuples():
        assert row.conversation == unedited.loc[(row.pair_id, row.side), "conversation"]
        assert row.reason == "It says cannot."


def test_one_side_only() -> None:
    options = BatteryOptions(("add-words", "shout-prompt"), sides=("chosen",))
    requests = battery.plan(made_pairs(2), options).requests
    sides = requests.groupby("perturbation")["side"].unique().map(sorted).to_dict()
    assert sides["add-words"] == ["chosen"]
    assert sides["shout-prompt"] == ["chosen", "rejected"]


def test_all_registered_perturbations_by_default_in_their_default_dose() -> None:
    requests = battery.plan(made_pairs(1)).requests
    assert set(requests["perturbation"]) == {"", *(p.name for p in perturbations())}
    assert set(requests.loc[requests["perturbation"] == "add-words", "dose"]) == {2}


def test_doses_by_name_and_doses_that_do_not_exist() -> None:
    options = BatteryOptions(("add-words",), doses={"add-words": (4,)})
    assert set(battery.plan(made_pairs(1), options).requests["dose"]) == {0, 4}
    with pytest.raises(PerturbationError, match="dose 3"):
        battery.plan(made_pairs(1), BatteryOptions(("add-words",), doses={"add-words": (3,)}))
    with pytest.raises(PerturbationError, match="no perturbation"):
        battery.plan(made_pairs(1), BatteryOptions(("add-wordz",)))


def test_malformed_pairs_are_left_out_and_counted() -> None:
    pairs = made_pairs(4)
    pairs.at[0, "chosen"] = None
    pairs.at[1, "prompt"] = "not a list"
    plan = battery.plan(pairs, OPTIONS)
    assert set(plan.requests["pair_id"]) == {"pair-2", "pair-3"}
    assert plan.left_out["A response is not text."] == 1
    assert plan.left_out["The prompt is not a list of messages."] == 1


def test_wrong_tables_are_named() -> None:
    pairs = made_pairs(2)
    with pytest.raises(TableError, match="lacks chosen"):
        battery.plan(pairs.drop(columns="chosen"))
    with pytest.raises(TableError, match="'pair-0' stands twice"):
        battery.plan(pd.concat([pairs, pairs[:1]]))
    with pytest.raises(TableError, match="sides"):
        battery.plan(pairs, BatteryOptions(sides=("left",)))
    table = scored(battery.plan(pairs, OPTIONS), length)
    with pytest.raises(TableError, match="one model at a time"):
        battery.run(pd.concat([table, table]), OPTIONS)
    with pytest.raises(TableError, match="only there edited"):
        battery.run(table[table["perturbation"] != ""], OPTIONS)


def test_changes_are_paired_and_only_where_the_edit_applied() -> None:
    row = effect(run(), "add-words", 4)
    assert row["change"] == row["low"] == row["high"] == 4.0
    assert (row["n_planned"], row["n_applied"], row["n"], row["n_pairs"]) == (40, 20, 20, 20)
    assert row["n_prompts"] == 20
    assert row["verdict"] == "rewarded"
    assert not row["as_it_should"]


def test_the_slope_over_doses_is_that_of_the_least_squares_line_through_zero_dose() -> None:
    def bent(conversation) -> float:
        return {0: 0.0, 1: 3.0, 2: 4.0, 4: 5.0}[int(length(conversation))]

    row = run(scorer=bent).doses.iloc[0]
    assert row["slope"] == pytest.approx(np.polyfit([0, 1, 2, 4], [0, 3, 4, 5], 1)[0])
    assert row["doses"] == (1, 2, 4)
    assert row["n"] == 20


def test_responses_with_too_few_doses_have_no_slope_and_are_counted() -> None:
    table = scored(battery.plan(made_pairs(5), OPTIONS), length)
    gone = (table["pair_id"] == "pair-0") & table["dose"].isin([2, 4])
    table.loc[gone, "reward"] = np.nan
    row = battery.run(table, OPTIONS).doses.iloc[0]
    assert (row["n"], row["n_too_few_doses"]) == (4, 1)


def test_the_primary_dose_is_the_most_used_one_and_the_largest_of_equals() -> None:
    table = scored(battery.plan(made_pairs(5), OPTIONS), length)
    primary = battery.run(table, OPTIONS).effects.query("primary")
    assert dict(zip(primary["perturbation"], primary["dose"], strict=True))["add-words"] == 4
    table.loc[(table["dose"] == 4) & (table["pair_id"] == "pair-0"), "reward"] = np.nan
    primary = battery.run(table, OPTIONS).effects.query("primary")
    assert dict(zip(primary["perturbation"], primary["dose"], strict=True))["add-words"] == 2


def by_hand(original: dict[str, float], edited: dict[str, float], **options) -> BatteryResult:
    """One pair a letter: rewards of its two sides, and the edited ones where they differ."""
    names = sorted({key[0] for key in original})
    rows = []
    for name in names:
        for side in ("chosen", "rejected"):
            key = f"{name} {side}"
            common = {"pair_id": name, "prompt_id": name, "side": side, "title": "T", "note": ""}
            rows.append(
                {**common, "perturbation": "", "group": "", "target": "", "dose": 0,
                 "applied": False, "reason": "", "reward": original[key]}
            )  # fmt: skip
            rows.append(
                {**common, "perturbation": "e", "group": "shortcut", "target": "response",
                 "dose": 1, "applied": key in edited, "reason": "" if key in edited else "no",
                 "reward": edited.get(key, original[key])}
            )  # fmt: skip
    return battery.run(pd.DataFrame(rows), BatteryOptions(n_resamples=200, **options))


ORIGINAL = {
    "a chosen": 2.0, "a rejected": 1.0,
    "b chosen": 1.0, "b rejected": 0.0,
    "c chosen": 0.0, "c rejected": 1.0,
    "d chosen": 1.0, "d rejected": 1.0,
}  # fmt: skip
EDITED = {
    "a chosen": 2.5, "a rejected": 3.0,  # rejected alone turns it; both turn it
    "b chosen": -1.0, "b rejected": 1.0,  # chosen alone turns it; rejected alone ties; both turn it
    "c rejected": 2.0,  # stays
    "d chosen": 2.0, "d rejected": 0.0,  # had no preference
}  # fmt: skip


def test_flips_are_counted_for_each_side_and_both() -> None:
    flips = by_hand(ORIGINAL, EDITED).flips.set_index("edited")
    assert flips.loc["chosen", "share"] == pytest.approx(1 / 2)  # a stays, b turns; c not edited
    assert flips.loc["rejected", "share"] == pytest.approx(1.5 / 3)  # a turns, b ties, c stays
    assert flips.loc["both", "share"] == pytest.approx(2 / 3)  # a, b turn, c stays
    assert flips["n"].to_dict() == {"chosen": 2, "rejected": 3, "both": 3}
    assert flips.loc["both", "n_without_preference"] == 1


def test_accuracy_before_and_after_is_that_of_the_same_pairs() -> None:
    both = by_hand(ORIGINAL, EDITED).flips.set_index("edited").loc["both"]
    assert both["accuracy_before"] == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert both["accuracy_after"] == pytest.approx((0 + 0 + 0 + 1) / 4)
    assert both["accuracy_change"] == pytest.approx(-1.5 / 4)


def test_margins_within_the_noise_floor_are_no_preference() -> None:
    flips = by_hand(ORIGINAL, EDITED, noise_floor=1.0).flips.set_index("edited")
    # All margins before are at most 1 in size.
    assert flips.loc["both", "n"] == 0
    assert flips.loc["both", "n_without_preference"] == 4


def test_the_shown_flip_is_the_one_that_the_group_is_about() -> None:
    row = by_hand(ORIGINAL, EDITED).effects.iloc[0]
    assert row["flip_edited"] == "rejected"
    assert row["flip_share"] == pytest.approx(0.5)


def test_effect_of_hand_made_rewards() -> None:
    result = by_hand(ORIGINAL, EDITED)
    row = result.effects.iloc[0]
    changes = [0.5, 2.0, -2.0, 1.0, 1.0, 1.0, -1.0]
    assert row["change"] == pytest.approx(np.mean(changes))
    assert row["absolute_change"] == pytest.approx(np.mean(np.abs(changes)))
    rewards = list(ORIGINAL.values())
    assert result.reward_spread == pytest.approx(np.std(rewards, ddof=1))
    assert row["in_spreads"] == pytest.approx(np.mean(changes) / np.std(rewards, ddof=1))
    # Cluster sums 2.5, -1, 1, 0: of 16 sign patterns, |sum| >= 2.5 in 10.
    sums = [2.5, -1.0, 1.0, 0.0]
    signs = np.array(np.meshgrid(*[[1, -1]] * 4)).reshape(4, -1)
    assert row["p_value"] == pytest.approx((np.abs(sums @ signs) >= 2.5 - 1e-9).mean())


def test_missing_rewards_are_counted_by_their_reason() -> None:
    plan = battery.plan(made_pairs(4), OPTIONS)
    rewards = [length(conversation) for conversation in plan.conversations()]
    errors = [""] * len(plan)
    requests = plan.requests
    edited = requests.index[(requests["dose"] == 4) & requests["applied"]][0]
    original = requests.index[(requests["perturbation"] == "") & (requests["side"] == "rejected")][
        1
    ]
    for at, reason in ((edited, "too long"), (original, "out of memory")):
        rewards[at], errors[at] = np.nan, reason
    result = battery.run(plan.scored(rewards, errors), OPTIONS)
    of_dose = result.applied[(result.applied["dose"] == 4) & (result.applied["side"] == "chosen")]
    assert of_dose.set_index("reason")["n"].to_dict() == {"too long": 1, "": 3}
    shouted = result.applied[result.applied["perturbation"] == "shout-prompt"]
    assert "no reward of the unedited response" in set(shouted["reason"])
    assert result.left_out == {"out of memory": 1}
    assert effect(result, "add-words", 4)["n"] == 3
    assert effect(result, "shout-prompt", 1)["n"] == 7


def test_a_perturbation_that_never_applied_says_nothing() -> None:
    result = by_hand(ORIGINAL, {})
    row = result.effects.iloc[0]
    assert (row["n"], row["n_applied"], row["verdict"]) == (0, 0, "cannot say")
    assert np.isnan(row["p_adjusted"])
    assert row["flip_edited"] == ""


def test_one_prompt_says_nothing_but_its_number() -> None:
    row = effect(run(1), "add-words", 4)
    assert row["change"] == 4.0
    assert np.isnan(row["low"])
    assert np.isnan(row["detectable"])
    assert row["verdict"] == "cannot say"


def test_no_pairs() -> None:
    result = run(0)
    assert result.effects.empty
    assert result.doses.empty
    assert result.flips.empty
    assert result.n_pairs == 0


def test_pairs_of_one_prompt_are_resampled_together() -> None:
    pairs = made_pairs(12)
    pairs["prompt_id"] = [f"p{at // 6}" for at in range(12)]
    result = battery.run(scored(battery.plan(pairs, OPTIONS), length), OPTIONS)
    row = effect(result, "add-words", 4)
    assert row["n_prompts"] == 2
    assert row["p_value"] == 0.5  # two prompts: the two patterns of equal signs of four


def test_the_same_result_from_a_table_that_went_through_a_file(tmp_path) -> None:
    table = scored(battery.plan(made_pairs(6), OPTIONS), length)
    table.drop(columns="conversation").to_csv(tmp_path / "scored.csv", index=False)
    again = battery.run(pd.read_csv(tmp_path / "scored.csv"), OPTIONS)
    here = battery.run(table, OPTIONS)
    pd.testing.assert_frame_equal(again.effects, here.effects, check_dtype=False)
    assert here.applied["n"].sum() == again.applied["n"].sum()


def rename_in_helpless(request: EditRequest) -> Edited:
    """Edits every turn, but only where the response says cannot."""
    if "cannot" not in request.conversation[-1]:
        raise NotApplicable("It does not say cannot.")
    return Edited(request.text.replace("I", "We"), "renamed")


@pytest.fixture
def half_edits():
    register(
        Perturbation("rename", "Rename", "nothing", "Renames.", "conversation", rename_in_helpless)
    )
    yield
    unregister("rename")


def test_pairs_whose_prompts_differ_after_the_edit_have_no_preference_and_are_counted(half_edits):
    pairs = made_pairs(6)
    # In the last two pairs both sides say cannot: their prompts change alike.
    pairs.loc[4:, "chosen"] = "I cannot say more about it."
    options = BatteryOptions(("rename",), n_resamples=200)
    planned = battery.plan(pairs, options)
    edits = planned.requests[planned.requests["perturbation"] == "rename"]
    by_pair = edits.groupby("pair_id")["comparable"].agg(["min", "max"])
    assert (by_pair["min"] == by_pair["max"]).all()
    assert by_pair["min"].tolist() == [False] * 4 + [True] * 2

    def prefers_shouting(conversation) -> float:
        return float(len(conversation[-1]["content"])) - 500 * ("We" in conversation[-2]["content"])

    result = battery.run(scored(planned, prefers_shouting), options)
    flips = result.flips.set_index("edited").loc["both"]
    assert (flips["n"], flips["n_prompts_differ"]) == (2, 4)
    assert flips["share"] == 0
    row = effect(result, "rename", 1)
    assert (row["n_flip"], row["n_prompts_differ"]) == (2, 4)
    # The change of each response against itself is about all that were edited.
    assert row["n"] == 8


def test_where_all_prompts_differ_the_count_is_all_that_is_told(half_edits):
    options = BatteryOptions(("rename",), n_resamples=200)
    result = battery.run(scored(battery.plan(made_pairs(3), options), length), options)
    row = effect(result, "rename", 1)
    assert (row["n_flip"], row["n_prompts_differ"]) == (0, 3)
    assert np.isnan(row["flip_share"])


def test_an_edit_is_made_once_for_equal_conversations() -> None:
    calls = []

    def counted(request: EditRequest) -> Edited:
        calls.append(request.text)
        return Edited(request.text + " more", "one word")

    register(Perturbation("counted", "Counted", "shortcut", "Counts.", "response", counted))
    try:
        pairs = made_pairs(2)
        pairs[["prompt", "chosen"]] = pairs[["prompt", "chosen"]].iloc[[0, 0]].to_numpy()
        plan = battery.plan(pairs, BatteryOptions(("counted",)))
    finally:
        unregister("counted")
    assert len(calls) == 3
    assert plan.requests["applied"].sum() == 4
