"""Tokens against accuracy, and a scalar model on the same items, by hand and planted."""

import numpy as np
import pandas as pd
import pytest

from core.labs.reasoning.ballots import Ballots, ballots_of
from core.labs.reasoning.budget import (
    ALL,
    affordable,
    budget_curve,
    item_plan,
    judge_credits,
    rewards_by_item,
    scalar_against,
    scalar_credits,
    stored_rewards,
)
from core.labs.reasoning.counter_evidence import (
    CODE,
    PAPER,
    SECOND_HAND,
    counter_evidence,
    reported_gain,
)
from core.labs.reasoning.curves import VotingOptions
from tests.core.labs.reasoning.made import ballot, made_judgements

FEW = VotingOptions(n_resamples=200)


def test_every_candidate_is_planned_once_and_comes_back_in_its_place():
    read = made_judgements(3, 1)
    read.items.loc[1, "best"] = None
    plan = item_plan(read)
    assert plan.requests["letter"].tolist() == ["A", "B", "A", "B"]
    assert plan.left_out == {"items without a known winner": 1}
    assert plan.conversations()[1][-1]["content"] == "Answer B to 0."
    scored = plan.scored([1.0, 2.0, 3.0, float("nan")])
    rewards = rewards_by_item(scored.sample(frac=1, random_state=0))
    assert rewards["item-0"].tolist() == [1.0, 2.0]
    assert np.isnan(rewards["item-2"][1])


def test_a_scalar_model_earns_by_its_highest_reward():
    read = made_judgements(4, 1)
    rewards = {
        "item-0": [2.0, 1.0], "item-1": [1.0, 1.0], "item-2": [np.nan, 1.0],
    }  # fmt: skip
    found = scalar_credits(ballots_of(read), rewards)
    best = read.items.set_index("item_id")["best"]
    assert found["item-0"] == float(best["item-0"] == "A")
    assert found["item-1"] == 0.5
    assert found[["item-2", "item-3"]].isna().all()
    assert stored_rewards(read) == {}


def test_what_a_budget_pays_for():
    made = ballot([0, 0, 1], tokens=[10, 20, 30])
    assert [affordable(made, tokens) for tokens in (0, 19, 20, 40, 1_000)] == [0, 0, 1, 2, 3]
    assert affordable(ballot([0]), 100) == 0
    ballots = Ballots((made,), 3, {}, 3, 0, 0)
    poor = judge_credits(ballots, budget=5).iloc[0]
    assert (poor["credit"], poor["k"], poor["tokens"]) == (0.5, 0, 0.0)
    one = judge_credits(ballots, budget=20).iloc[0]
    assert one["credit"] == pytest.approx(2 / 3)
    assert one["tokens"] == 20
    assert judge_credits(ballots, k=3).iloc[0]["credit"] == 1
    assert judge_credits(ballots, k=9).iloc[0]["k"] == 3
    unknown = Ballots((ballot([0, 1]),), 2, {}, 2, 0, 0)
    assert np.isnan(judge_credits(unknown, budget=9)["credit"].iloc[0])


def test_accuracy_per_thousand_tokens():
    ballots = Ballots((ballot([0, 0, 1], tokens=[100, 200, 300]),), 3, {}, 3, 0, 0)
    table = budget_curve(ballots, options=FEW)
    assert table["tokens"].tolist() == [200, 400, 600]
    assert table["votes"].tolist() == [1, 2, 3]
    assert table["per_1000"].iloc[0] == pytest.approx(2 / 3 / 0.2)
    assert table["gain_per_1000"].iloc[2] == pytest.approx((1 - 0.5) / 0.6)
    assert budget_curve(Ballots((ballot([0]),), 1, {}, 1, 0, 0)).empty


def test_a_better_judge_is_found_in_the_subset_where_it_is_better():
    read = made_judgements(120, 4, chance=0.75, seed=1)
    rng = np.random.default_rng(0)
    rewards = {}
    for item in read.items.to_dict("records"):
        knows = item["subset"] == "chat"
        right = item["best"] == "A"
        higher = right if knows or rng.random() < 0.5 else not right
        rewards[item["item_id"]] = [1.0, 0.0] if higher else [0.0, 1.0]
    ballots = ballots_of(read)
    found = scalar_against(
        judge_credits(ballots, options=FEW), scalar_credits(ballots, rewards), FEW
    )
    rows = found.table.set_index("subset")
    assert list(rows.index) == [ALL, "chat", "maths"]
    assert rows.loc["maths", "low"] > 0
    assert rows.loc["chat", "high"] <= 0
    assert rows.loc["chat", "scalar"] == 1
    assert rows.loc["maths", "p_adjusted"] >= rows.loc["maths", "p_value"]
    assert found.difference.value == pytest.approx(found.judge.value - found.scalar.value)
    assert rows.loc[ALL, "n"] == 120
    assert (rows["detectable"] > 0).all()


def test_equal_models_show_no_difference_and_missing_items_are_counted():
    read = made_judgements(10, 2, chance=1.0)
    ballots = ballots_of(read)
    rewards = {
        str(item): [1.0, 0.0] if best == "A" else [0.0, 1.0]
        for item, best in zip(read.items["item_id"][:8], read.items["best"], strict=False)
    }
    found = scalar_against(judge_credits(ballots), scalar_credits(ballots, rewards), FEW)
    assert found.left_out == {"items without rewards of the scalar model": 2}
    assert found.difference.value == 0
    assert found.table["p_value"].iloc[0] == 1
    none = scalar_against(judge_credits(ballots), scalar_credits(ballots, {}), FEW)
    assert none.difference.n == 0
    assert none.table["n"].tolist() == [0]


def test_reported_numbers_say_how_they_are_known():
    table = counter_evidence()
    assert set(table["known"]) == {PAPER, CODE, SECOND_HAND}
    skywork = table.loc[table["system"] == "Skywork-Reward-V2 8B"].set_index("benchmark")["value"]
    assert skywork.to_dict() == {"RewardBench": 96.4, "RewardBench 2": 84.1, "RM-Bench": 92.8}
    best_judge = table.loc[
        (table["benchmark"] == "RewardBench") & (table["kind"] == "reasoning judge"), "value"
    ].max()
    assert best_judge == 92.9
    assert reported_gain() == pytest.approx({"plain": 3.1, "filtered": 4.9})
    assert isinstance(table, pd.DataFrame)
