"""Swapped prompts: what is planned, what is left out, and what damaged tables give."""

import math

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.prompt_awareness import swaps
from core.labs.prompt_awareness.swaps import OWN, SwapOptions, worst_offenders
from tests.core.labs.prompt_awareness.analytic import (
    is_on_topic,
    make_pairs,
    noise,
    prompt_text_of,
    quality,
    scored,
)

RANDOM = SwapOptions(kinds=("random",), n_prompts=3)


def test_plan_reads_both_sides_under_own_and_other_prompts() -> None:
    requests = swaps.plan(make_pairs(8), SwapOptions(n_prompts=3)).requests
    one = requests[requests["pair_id"] == "2-0"]
    assert one.groupby("kind", sort=False)["swap"].nunique().to_dict() == {
        OWN: 1, "random": 3, "same-topic": 3, "contradictory": 3, "empty": 1, "shuffled": 3,
    }  # fmt: skip
    assert (one.groupby(["kind", "swap"])["side"].nunique() == 2).all()
    for row in one.itertuples():
        response = "good 0 volcanoes" if row.side == "chosen" else "bad 0 volcanoes"
        assert row.conversation[-1] == {"role": "assistant", "content": response}
        own = row.conversation[0]["content"] == "Please tell me something about volcanoes today."
        assert own == (row.kind == OWN)


def test_a_changed_response_or_another_kind_changes_no_other_prompt() -> None:
    pairs = make_pairs(8)
    first = swaps.plan(pairs, SwapOptions(kinds=("random", "shuffled"))).requests
    pairs.at[3, "chosen"] = "quite different"
    second = swaps.plan(pairs, SwapOptions(kinds=("shuffled", "random", "empty"))).requests
    keys = ["pair_id", "kind", "swap", "side"]
    both = first.merge(second, on=keys, suffixes=("", "_again"))
    assert len(both) == len(first)
    for row in both.itertuples():
        assert row.conversation[:-1] == row.conversation_again[:-1]
    other_seed = swaps.plan(pairs, SwapOptions(kinds=("random",), seed=1)).requests
    assert other_seed["swap_prompt_id"].tolist() != first["swap_prompt_id"].tolist()


def test_what_cannot_be_planned_is_counted() -> None:
    pairs = make_pairs(6).astype(object)
    pairs.at[0, "chosen"] = None
    pairs.at[1, "prompt"] = "just text"
    pairs.at[2, "prompt"] = [{"role": "user"}]
    pairs.at[4, "pair_id"] = "3-0"
    pairs.at[5, "prompt_id"] = None
    plan = swaps.plan(pairs, RANDOM)
    assert plan.left_out == {
        "its chosen response is not text": 1,
        "its prompt is not a list of messages": 2,
        "its pair_id is an earlier pair's": 1,
        "its pair_id or prompt_id is missing": 1,
        "random: no other prompt": 1,
    }
    assert set(plan.requests["kind"]) == {OWN}


def test_too_few_other_prompts_are_counted() -> None:
    plan = swaps.plan(make_pairs(3), SwapOptions(kinds=("random",), n_prompts=5))
    assert plan.left_out == {"random: fewer than 5 other prompts": 3}
    assert len(plan) == 3 * 2 * (1 + 2)


def test_one_pair_finds_other_prompts_in_a_pool_and_in_what_was_typed() -> None:
    options = SwapOptions(kinds=("random",), n_prompts=2, typed=("What is silk?",))
    plan = swaps.plan(make_pairs(1), options, pool=make_pairs(5))
    kinds = plan.requests.drop_duplicates(["kind", "swap"])["kind"].tolist()
    assert kinds == [OWN, "random", "random", "typed"]
    result = swaps.run(scored(plan, quality), options)
    assert result.measures["typed"].retention.estimate.value == 1
    assert math.isnan(result.measures["typed"].retention.estimate.low)
    assert result.measures["typed"].retention.estimate.n_prompts == 1


def test_columns_that_are_not_there_are_named() -> None:
    with pytest.raises(TableError, match="'rejected'"):
        swaps.plan(make_pairs(3).drop(columns="rejected"))
    with pytest.raises(TableError, match="no column 'topic'"):
        swaps.plan(make_pairs(3), SwapOptions(topic_column="topic"))
    with pytest.raises(TableError, match="no column 'flaw'"):
        swaps.plan(make_pairs(3), SwapOptions(slice_by="flaw"))
    with pytest.raises(TableError, match="no column 'swap'"):
        swaps.run(scored(swaps.plan(make_pairs(3)), quality).drop(columns="swap"))
    with pytest.raises(ValueError, match="Unknown kinds"):
        SwapOptions(kinds=("sideways",))  # type: ignore[arg-type]


def test_a_pair_stands_twice_only_by_mistake() -> None:
    table = scored(swaps.plan(make_pairs(3), RANDOM), quality)
    with pytest.raises(TableError, match="more than one row for pair_id 0-0"):
        swaps.run(pd.concat([table, table]))
    with pytest.raises(TableError, match="several models"):
        swaps.run(pd.concat([table.assign(model="a"), table.assign(model="b")]))


def test_gaps_and_spreads_equal_plain_arithmetic() -> None:
    def scorer(prompt: list, response: str) -> float:
        return noise(prompt_text_of(prompt), response)

    table = scored(swaps.plan(make_pairs(6), RANDOM), scorer)
    result = swaps.run(table)
    wide = table.pivot(index=["pair_id", "kind", "swap"], columns="side", values="reward")
    gaps = (wide["chosen"] - wide["rejected"]).xs("random", level="kind")
    for row in result.pairs.itertuples():
        mine = gaps[row.pair_id]
        assert row.swapped_mean == pytest.approx(mine.mean())
        assert row.swapped_std == pytest.approx(mine.std())
        assert row.flip_share == pytest.approx((np.sign(mine) != np.sign(row.own_gap)).mean())
        assert row.n_swaps == 3


def test_failed_scores_are_counted_and_sink_nothing_else() -> None:
    plan = swaps.plan(make_pairs(5), RANDOM)
    table = scored(plan, quality)
    lost = (table["pair_id"] == "0-0") & (table["kind"] == OWN) & (table["side"] == "chosen")
    one = (table["pair_id"] == "1-0") & (table["kind"] == "random") & (table["swap"] == 0)
    every = (table["pair_id"] == "2-0") & (table["kind"] == "random")
    table.loc[lost, ["reward", "error"]] = [np.nan, "too long"]
    table.loc[one, "reward"] = np.inf
    table.loc[every, "reward"] = np.nan
    result = swaps.run(table)
    assert result.left_out == {
        "random: no gap under the own prompt": 1,
        "random: no gap under other prompts": 1,
        "random: other prompts without a gap": 4,
    }
    retention = result.measures["random"].retention.estimate
    assert retention.n == 3
    assert retention.value == 1
    assert sum(retention.left_out.values()) == 2
    errors = result.gaps.set_index(["pair_id", "kind", "swap"])["error"]
    assert errors["0-0", OWN, 0] == "too long"
    assert errors["1-0", "random", 0] == "the reward is not a finite number"
    assert errors["2-0", "random", 1] == "no reward"


def test_a_side_that_was_not_scored_is_said_so() -> None:
    table = scored(swaps.plan(make_pairs(4), RANDOM), quality)
    result = swaps.run(table.drop(index=0))
    first = result.gaps.iloc[0]
    assert math.isnan(first["gap"])
    assert first["error"] == "not scored"
    assert result.measures["random"].retention.estimate.n == 3


def test_nothing_scored_gives_an_empty_result() -> None:
    result = swaps.run(scored(swaps.plan(make_pairs(0), RANDOM), quality))
    assert result.measures == {}
    assert result.table().empty
    assert worst_offenders(result).empty


def test_rewards_from_a_file_need_no_texts_and_no_order() -> None:
    table = scored(swaps.plan(make_pairs(6), RANDOM), quality)
    bare = table[["pair_id", "prompt_id", "kind", "swap", "side", "reward"]]
    mixed = bare.sample(frac=1, random_state=1)
    one, other = (swaps.run(t).measures["random"].own_gap.estimate for t in (table, mixed))
    assert other.value == pytest.approx(one.value)


def test_same_seed_same_intervals() -> None:
    def scorer(prompt: list, response: str) -> float:
        return quality(prompt, response) + 2 * noise(prompt_text_of(prompt), response)

    table = scored(swaps.plan(make_pairs(8), RANDOM), scorer)
    pd.testing.assert_frame_equal(swaps.run(table).table(), swaps.run(table).table())


def test_slices_are_measured_apart() -> None:
    pairs = make_pairs(12)
    pairs["flaw"] = ["off_topic", "rude"] * 6
    off_topic = {f"good 0 {row.chosen.split()[-1]}" for row in pairs[::2].itertuples()}

    def scorer(prompt: list, response: str) -> float:
        good = response.startswith("good")
        if response in off_topic:
            return 2.0 * is_on_topic(prompt, response)
        return 1.0 * good

    result = swaps.run(
        scored(swaps.plan(pairs, SwapOptions(kinds=("random",), slice_by="flaw")), scorer)
    )
    found = result.slices.set_index(["slice", "measure"])["value"]
    assert found["off_topic", "retention"] == 0
    assert found["rude", "retention"] == 1
    assert result.measures["random"].retention.estimate.value == pytest.approx(6 / 18)


def test_worst_offenders_are_where_a_wrong_prompt_is_preferred() -> None:
    def scorer(prompt: list, response: str) -> float:
        wrong = not is_on_topic(prompt, response)
        if response == "good 0 owls" and wrong:
            return 9.0
        return quality(prompt, response) - 0.5 * (wrong and response.startswith("good"))

    result = swaps.run(scored(swaps.plan(make_pairs(8), RANDOM), scorer))
    worst = worst_offenders(result)
    assert worst["pair_id"].unique().tolist() == ["5-0"]
    assert len(worst) == 3
    assert (worst["own_prompt_text"] == "Please tell me something about owls today.").all()
    assert (worst["prompt_text"] != worst["own_prompt_text"]).all()
    assert worst["gap_excess"].to_numpy() == pytest.approx(9 - quality([], "good 0 owls"))
    assert len(worst_offenders(result, most=1)) == 1
    with pytest.raises(ValueError, match="Order by one of"):
        worst_offenders(result, by="size")  # type: ignore[arg-type]


def test_order_by_reward_sees_what_a_prompt_does_to_both_sides() -> None:
    result = swaps.run(
        scored(
            swaps.plan(make_pairs(4), SwapOptions(kinds=("empty",))),
            lambda p, r: quality(p, r) + (0 if p[0]["content"] else 3),
        )
    )
    by_reward = worst_offenders(result, by="reward")
    assert len(by_reward) == 4
    assert by_reward["reward_excess"].to_numpy() == pytest.approx(3)
    assert (worst_offenders(result)["gap_excess"] < 1e-12).all()
