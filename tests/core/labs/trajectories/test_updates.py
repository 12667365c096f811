"""What an update weighs, by hand and by brute force."""

import numpy as np
import pandas as pd
import pytest

from core.labs.trajectories.no_tool import no_tool_trap
from core.labs.trajectories.penalties import PenaltyOptions, penalise
from core.labs.trajectories.updates import (
    NO_SIGNAL,
    STRATEGIES,
    UpdateOptions,
    acceptance_chances,
    weigh,
    weigh_group,
)
from tests.core.labs.trajectories.conftest import rollouts


def group(
    correct: list[int], calls: list[int], errors: list[int], problem: str = "p"
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": "r",
            "step": 0,
            "problem_id": problem,
            "sample": range(len(correct)),
            "correct": pd.array([bool(c) for c in correct], dtype="boolean"),
            "tool_calls": calls,
            "tool_errors": errors,
            "answer_tags": 1,
            "turns": [c + 1 for c in calls],
        }
    )


ONE = group([1, 1, 1, 1, 0, 0, 0, 0], [2, 2, 0, 4, 1, 1, 0, 2], [0, 2, 0, 1, 0, 1, 0, 0])


def test_one_of_four_right_has_the_known_advantages() -> None:
    rows = penalise(group([1, 0, 0, 0], [1] * 4, [0] * 4)).table
    update = weigh_group(rows, UpdateOptions("none"))
    np.testing.assert_allclose(
        update.rows["advantage_before"], [1.7321, -0.5774, -0.5774, -0.5774], atol=1e-4
    )
    sample = weigh_group(rows, UpdateOptions("none", scale="sample")).rows["advantage_before"]
    np.testing.assert_allclose(sample, [1.5, -0.5, -0.5, -0.5], atol=1e-4)


def test_penalties_and_messiness_of_a_group() -> None:
    rows = penalise(ONE).table
    np.testing.assert_allclose(rows["p_err"], [0, 1, 0.5, 0.25, 0, 1, 0.5, 0])
    np.testing.assert_allclose(rows["p_format"], 0)
    assert rows["messy"].tolist() == [False, True, False, True, False, True, False, False]
    heavier = penalise(ONE, PenaltyOptions(no_tool=0.0, error_weight=2.0)).table
    np.testing.assert_allclose(heavier["penalty"], [0, 2, 0, 0.5, 0, 2, 0, 0])


def test_the_code_keeps_the_two_cleanest_and_weighs_nothing_on_the_dropped() -> None:
    update = weigh_group(penalise(ONE).table, UpdateOptions("roc-code"))
    rows = update.rows
    assert rows["kept"].tolist() == [True, False, False, True, True, True, False, False]
    np.testing.assert_allclose(rows["advantage_after"], [1, 0, 0, 1, -1, -1, 0, 0], atol=1e-5)
    np.testing.assert_allclose(rows["weight_after"], rows["advantage_after"] / 4)
    np.testing.assert_allclose(rows["weight_before"], rows["advantage_before"] / 8)
    assert update.messy_share("before") == pytest.approx(0.5)
    assert update.messy_share("after") == pytest.approx(0.5)
    assert update.counts == (2, 2)


def test_a_penalty_in_the_reward_moves_the_advantages_and_drops_nothing() -> None:
    options = UpdateOptions("penalty in the reward", reward_penalty=0.5)
    rows = weigh_group(penalise(ONE).table, options).rows
    rewards = np.array([1, 0.5, 0.75, 0.875, 0, -0.5, -0.25, 0])
    np.testing.assert_allclose(rows["reward_after"], rewards)
    np.testing.assert_allclose(
        rows["advantage_after"], (rewards - rewards.mean()) / rewards.std(), atol=1e-5
    )
    assert rows["kept"].all()


def test_a_dropped_group_weighs_nothing_and_says_why() -> None:
    update = weigh_group(
        penalise(group([1] * 4, [1] * 4, [0] * 4)).table, UpdateOptions("roc-code")
    )
    assert update.status == "dropped: all rewards equal"
    assert (update.rows["weight_after"] == 0).all()
    assert update.message
    assert np.isnan(update.messy_share("after"))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_weights_of_every_strategy_balance_within_the_kept(strategy: str) -> None:
    update = weigh_group(penalise(ONE).table, UpdateOptions(strategy), rng=3)
    assert update.rows["weight_after"].sum() == pytest.approx(0, abs=1e-9)
    assert (update.rows.loc[~update.rows["kept"], "weight_after"] == 0).all()


def test_acceptance_falls_with_the_penalty_under_the_paper_and_not_under_the_control() -> None:
    rows = penalise(ONE).table
    paper = acceptance_chances(rows, UpdateOptions("roc-paper"), repeats=2000)
    assert paper[0] > paper[3] > paper[2] > paper[1]
    assert paper[:4].sum() == pytest.approx(2)
    even = acceptance_chances(rows, UpdateOptions("positives uniform"), repeats=2000)
    np.testing.assert_allclose(even, 0.5, atol=0.05)
    code = acceptance_chances(rows, UpdateOptions("roc-code"))
    assert code.tolist() == [1, 0, 0, 1, 1, 1, 0, 0]


def test_shares_over_groups_are_ratios_of_summed_weights() -> None:
    table = rollouts(n_problems=20, n_samples=8, steps=(0, 1))
    penalised = penalise(table)
    options = UpdateOptions("roc-code")
    found = weigh(penalised, options)
    sums = np.zeros(4)
    for rows in penalised.groups():
        update = weigh_group(rows, options).rows
        messy = (update["correct"] & update["messy"]).to_numpy()
        for place, name in ((0, "weight_before"), (2, "weight_after")):
            weight = update[name].clip(lower=0).to_numpy()
            sums[place] += weight[messy].sum()
            sums[place + 1] += weight.sum()
    assert found.before.value == pytest.approx(sums[0] / sums[1])
    assert found.after.value == pytest.approx(sums[2] / sums[3])
    assert found.change.value == pytest.approx(found.after.value - found.before.value)
    assert found.after.value < found.before.value
    assert sum(found.statuses.values()) == found.n_groups == 40
    assert found.before.n_prompts == 20


def test_nothing_changes_when_nothing_is_dropped() -> None:
    found = weigh(penalise(rollouts(n_problems=6, n_samples=4)), UpdateOptions("none"))
    assert found.change.value == 0
    assert (found.acceptance["value"] == 1).all()


def test_oversampling_alone_leaves_the_messy_share() -> None:
    table = rollouts(n_problems=60, n_samples=16, steps=(0,))
    found = weigh(penalise(table), UpdateOptions("positives uniform", repeats=40))
    assert abs(found.change.value) < 0.02
    assert abs(weigh(penalise(table), UpdateOptions("roc-paper")).change.value) > 0.05


def test_acceptance_by_errors_is_the_mean_over_right_rollouts() -> None:
    penalised = penalise(rollouts(n_problems=15))
    found = weigh(penalised, UpdateOptions("roc-code")).acceptance
    kept = pd.concat(
        [weigh_group(rows, UpdateOptions("roc-code")).rows for rows in penalised.groups()]
    )
    right = kept.loc[kept["correct"]]
    for row in found.itertuples():
        chosen = right.loc[
            (right["tool_errors"] == row.errors) & (right["used_tool"] == (row.tools != "no tool"))
        ]
        assert row.value == pytest.approx(chosen["kept"].mean())
        assert row.n == len(chosen)


def test_groups_without_signal_and_beyond_the_limit_are_counted() -> None:
    table = pd.concat([group([1, 1], [1, 1], [0, 0], "a"), group([1, 0], [1, 1], [1, 0], "b")])
    found = weigh(penalise(table), UpdateOptions("none"))
    assert found.before.left_out == {NO_SIGNAL: 1}
    assert found.before.value == 1.0
    few = weigh(penalise(rollouts(n_problems=10)), UpdateOptions("none", most_groups=5))
    assert few.n_groups == 5
    assert few.left_out == {"groups beyond the limit": 15}


def test_an_empty_table_weighs_nothing() -> None:
    found = weigh(penalise(rollouts().iloc[:0]))
    assert found.n_groups == 0
    assert np.isnan(found.after.value)
    assert found.acceptance.empty


def test_no_tool_beats_a_sixty_percent_error_rollout_and_loses_to_a_clean_one() -> None:
    rows = group([1, 1, 1, 0], [0, 5, 2, 0], [0, 3, 0, 0])
    found = no_tool_trap(penalise(rows))
    assert (found.n_right, found.n_without, found.n_groups) == (3, 1, 1)
    assert (found.wins.value, found.losses.value, found.ties.value) == (0.5, 0.5, 0.0)
    assert found.wins.n == 2
    assert found.present


def test_half_failed_calls_tie_with_no_tool() -> None:
    found = no_tool_trap(penalise(group([1, 1], [0, 2], [0, 1])))
    assert found.ties.value == 1.0


def test_without_a_meeting_there_is_no_trap() -> None:
    found = no_tool_trap(penalise(group([1, 1, 0], [1, 1, 0], [0, 0, 0])))
    assert not found.present
    assert np.isnan(found.wins.value)


def test_meetings_are_counted_as_by_hand_on_random_groups() -> None:
    penalised = penalise(rollouts(n_problems=10, n_samples=6))
    wins = meetings = 0
    for rows in penalised.groups():
        right = rows.loc[rows["correct"]]
        for one in right.loc[right["tool_calls"] == 0].itertuples():
            for other in right.loc[right["tool_calls"] > 0].itertuples():
                meetings += 1
                wins += one.penalty < other.penalty - 1e-9
    assert no_tool_trap(penalised).wins.value == pytest.approx(wins / meetings)
    assert no_tool_trap(penalised).wins.n == meetings
