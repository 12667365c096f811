"""Pairs become conversations and their rewards come back to the right side of the right pair."""

import numpy as np
import pandas as pd
import pytest

from core.labs.pairs import left_out_reasons, pair_rewards, plan_pairs, slice_columns


def pairs() -> pd.DataFrame:
    prompt = [{"role": "user", "content": "Say it."}]
    return pd.DataFrame(
        {
            "pair_id": ["a", "b"],
            "prompt_id": ["p", "q"],
            "prompt": [prompt, prompt],
            "chosen": ["yes yes", "yes"],
            "rejected": ["no", "no no no"],
            "topic": ["x", "y"],
            "note": [["list"], ["list"]],
        }
    )


def test_each_side_is_a_conversation_that_ends_with_its_response():
    requests = plan_pairs(pairs()).requests
    assert list(requests["side"]) == ["chosen", "rejected"] * 2
    ends = [conversation[-1]["content"] for conversation in requests["conversation"]]
    assert ends == ["yes yes", "no", "yes", "no no no"]
    assert all(conversation[0]["content"] == "Say it." for conversation in requests["conversation"])


def test_margins_are_chosen_minus_rejected_in_the_order_of_the_pairs():
    table = pairs()
    plan = plan_pairs(table)
    words = [len(c[-1]["content"].split()) for c in plan.conversations()]
    shuffled = plan.scored(words).sample(frac=1, random_state=3)
    found = pair_rewards(table, shuffled)
    assert list(found["margin"]) == [1.0, -2.0]
    assert list(found["topic"]) == ["x", "y"]
    assert "chosen" not in found


def test_a_side_without_a_reward_leaves_its_pair_without_a_margin_and_says_why():
    table = pairs()
    scored = plan_pairs(table).scored([1.0, np.nan, 2.0, 1.0], ["", "too long", "", ""])
    found = pair_rewards(table, scored)
    assert np.isnan(found["margin"][0])
    assert left_out_reasons(found) == {"too long": 1}


def test_pairs_that_share_an_id_keep_their_own_rewards():
    table = pairs().assign(pair_id="same")
    scored = plan_pairs(table).scored([5.0, 1.0, 2.0, 3.0])
    assert list(pair_rewards(table, scored)["margin"]) == [4.0, -1.0]


def test_slices_are_the_users_columns_with_a_few_values():
    assert slice_columns(pairs()) == ["topic"]


def test_a_plan_refuses_rewards_of_another_length():
    with pytest.raises(ValueError, match="4 conversations, 3 rewards"):
        plan_pairs(pairs()).scored([1.0, 2.0, 3.0])
