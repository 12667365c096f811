"""Prompt x response matrix: what is planned, ranks with ties and holes, the parts of rewards."""

import math

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.prompt_awareness import matrix
from core.labs.prompt_awareness.matrix import MatrixOptions, chance_reciprocal_rank, mid_rank
from core.schema import split_conversation
from tests.core.labs.prompt_awareness.analytic import is_on_topic, make_pairs, quality, scored


def table_of(values: list[list[float]]) -> pd.DataFrame:
    """A scored table from a square matrix, rows prompts."""
    return pd.DataFrame(
        [
            {"prompt_id": f"p{p}", "response_id": f"r{q}", "source_prompt_id": f"p{q}", "reward": r}
            for p, row in enumerate(values)
            for q, r in enumerate(row)
        ]
    )


def test_published_ranks_both_ways() -> None:
    found = matrix.run(table_of([[5, 1, 2], [4, 3, 1], [3, 2, 4]]))
    assert found.response_ranks.ranks["rank"].tolist() == [1, 1, 1]
    assert found.response_ranks.reciprocal_rank.estimate.value == 1
    assert found.prompt_ranks.ranks["rank"].tolist() == [1, 2, 1]
    assert found.prompt_ranks.reciprocal_rank.estimate.value == pytest.approx(0.8333, abs=5e-5)
    assert found.shares.interaction.estimate.value == pytest.approx(0.5429, abs=5e-5)


def test_plan_is_every_prompt_with_every_response_once() -> None:
    plan = matrix.plan(make_pairs(5, pairs_a_prompt=2), MatrixOptions(responses="both"))
    requests = plan.requests
    assert len(requests) == 5 * 10
    assert not requests.duplicated(["prompt_id", "response_id"]).any()
    assert plan.left_out == {"another pair of a prompt that is in": 5}
    own = requests[requests["prompt_id"] == requests["source_prompt_id"]]
    assert len(own) == 10
    for conversation in own["conversation"]:
        assert is_on_topic(*split_conversation(conversation))


def test_prompts_beyond_the_number_asked_for_are_drawn_and_counted() -> None:
    options = MatrixOptions(most_prompts=6, seed=4)
    plan = matrix.plan(make_pairs(20), options)
    assert len(plan) == 36
    assert plan.left_out == {"prompts beyond the number asked for": 14}
    again = matrix.plan(make_pairs(20), options).requests
    assert again["prompt_id"].tolist() == plan.requests["prompt_id"].tolist()
    other = matrix.plan(make_pairs(20), MatrixOptions(most_prompts=6, seed=5)).requests
    assert set(other["prompt_id"]) != set(again["prompt_id"])


def test_prompts_of_equal_content_enter_once() -> None:
    pairs = make_pairs(3)
    pairs.at[2, "prompt"] = pairs.at[0, "prompt"]
    assert len(matrix.plan(pairs)) == 4


def test_ties_take_the_middle_of_their_places() -> None:
    assert mid_rank(1.0, np.array([2.0, 1.0, 1.0, 0.0])) == 3
    found = matrix.run(table_of([[1, 1, 1], [1, 1, 1], [1, 1, 1]]))
    assert found.prompt_ranks.rank.estimate.value == 2
    assert found.prompt_ranks.chance_rank == 2


def test_ranks_equal_sorting_on_random_matrices() -> None:
    values = np.random.default_rng(0).normal(size=(7, 7))
    found = matrix.run(table_of(values.tolist()))
    by_row = [
        1 + sorted(row, reverse=True).index(row[at]) for at, row in enumerate(values.tolist())
    ]
    by_column = [
        1 + sorted(column, reverse=True).index(column[at])
        for at, column in enumerate(values.T.tolist())
    ]
    assert found.prompt_ranks.ranks["rank"].tolist() == by_row
    assert found.response_ranks.ranks["rank"].tolist() == by_column
    best = [f"r{np.delete(row, at).argmax() + (np.delete(row, at).argmax() >= at)}"
            for at, row in enumerate(values)]  # fmt: skip
    assert found.prompt_ranks.ranks["best_other"].tolist() == best


def test_chance_levels_are_those_of_shuffled_rewards() -> None:
    rng = np.random.default_rng(1)
    ranks = [1 + (row[1:] > row[0]).sum() for row in rng.random((20_000, 6))]
    assert chance_reciprocal_rank(6) == pytest.approx(np.mean(1 / np.array(ranks)), abs=0.01)
    found = matrix.run(table_of(rng.random((6, 6)).tolist()))
    assert found.prompt_ranks.chance_rank == pytest.approx(3.5)
    assert found.prompt_ranks.chance_reciprocal_rank == chance_reciprocal_rank(6)


def test_own_response_is_ranked_among_responses_of_its_side() -> None:
    plan = matrix.plan(make_pairs(4), MatrixOptions(responses="both"))
    found = matrix.run(
        scored(plan, lambda p, r: float(is_on_topic(p, r)) + 9 * r.startswith("bad"))
    )
    ranks = found.prompt_ranks.ranks
    assert (ranks["n_candidates"] == 4).all()
    assert (ranks["rank"] == 1).all()
    assert sorted(ranks["side"].unique()) == ["chosen", "rejected"]


def test_missing_cells_leave_ranks_of_fewer_candidates_and_are_counted() -> None:
    values = [[5, 1, 2, 0], [4, 3, 1, 0], [3, 2, 4, 0], [0, 0, 0, 1.0]]
    table = table_of(values)
    table["error"] = ""
    table.loc[1, ["reward", "error"]] = [np.nan, "too long"]  # p0 with r1
    table.loc[5, ["reward", "error"]] = [np.nan, "too long"]  # p1 with its own r1
    table.loc[15, "reward"] = np.inf
    found = matrix.run(table)
    ranks = found.prompt_ranks.ranks.set_index("prompt_id")
    assert ranks.loc["p0", ["rank", "n_candidates", "n_missing"]].tolist() == [1, 3, 1]
    assert math.isnan(ranks.loc["p1", "rank"])
    assert math.isnan(ranks.loc["p3", "rank"])
    assert found.prompt_ranks.rank.estimate.n == 2
    assert sum(found.prompt_ranks.rank.estimate.left_out.values()) == 2
    assert found.left_out["too long"] == 2
    assert found.left_out["the reward is not a finite number"] == 1
    assert found.left_out["prompts with missing cells"] == 2


def test_cells_that_were_never_scored_are_counted() -> None:
    found = matrix.run(table_of([[5, 1, 2], [4, 3, 1], [3, 2, 4]]).drop(index=[1, 5]))
    assert found.left_out["cell not in the table"] == 2
    assert found.rewards.shape == (3, 3)


def test_interaction_of_the_cells_is_what_main_effects_leave() -> None:
    values = np.array([[5, 1, 2], [4, 3, 1], [3, 2, 4.0]])
    found = matrix.run(table_of(values.tolist()))
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    assert found.cells["interaction"].to_numpy() == pytest.approx(rest.ravel())


def test_order_of_the_rows_does_not_matter() -> None:
    plan = matrix.plan(make_pairs(6), MatrixOptions(responses="both"))
    table = scored(plan, quality)
    mixed = table.sample(frac=1, random_state=0).reset_index(drop=True)
    first, second = matrix.run(table), matrix.run(mixed)
    assert second.shares.split.interaction == pytest.approx(first.shares.split.interaction)
    assert second.shares.response.estimate.low == pytest.approx(first.shares.response.estimate.low)
    assert second.prompt_ranks.rank.estimate.value == first.prompt_ranks.rank.estimate.value


def test_one_prompt_or_none_has_nothing_to_rank() -> None:
    one = matrix.run(table_of([[1.0]]))
    assert math.isnan(one.prompt_ranks.rank.estimate.value)
    assert math.isnan(one.shares.interaction.estimate.value)
    nothing = matrix.run(table_of([[1.0]]).iloc[:0])
    assert nothing.prompt_ranks.rank.estimate.n == 0
    assert math.isnan(nothing.prompt_ranks.chance_rank)


def test_a_damaged_table_is_refused_by_name() -> None:
    table = table_of([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(TableError, match="source_prompt_id"):
        matrix.run(table.drop(columns="source_prompt_id"))
    with pytest.raises(TableError, match="more than one row for prompt_id p0, response_id r0"):
        matrix.run(pd.concat([table, table.head(1)]))
    with pytest.raises(TableError, match="several models"):
        matrix.run(table.assign(model=["a", "a", "b", "b"]))
