"""Bonuses on recorded groups: history up to the step, advantages and their ranking."""

import numpy as np
import pytest

from core.errors import TableError
from core.labs.collapse.bonus import SCHEMES
from core.labs.collapse.counts import answer_counts
from core.labs.collapse.explorer import (
    NO_REWARD,
    BonusOptions,
    bonus_decay,
    explore,
    group_index,
    history_before,
)
from tests.core.labs.collapse.tables import rollouts

GROUPS = {
    ("a", 0, "p"): ["x", "x", "x", "y"],
    ("a", 1, "p"): ["x", None, "y", "z"],
    ("a", 2, "p"): ["x", "y", "new", "r"],
    ("a", 2, "q"): ["x", "x", "x", "x"],
    ("b", 0, "p"): ["new", "new", "new", "new"],
}


def group_of(table, run="a", step=2, problem="p"):
    return table.query("run == @run and step == @step and problem_id == @problem")


def test_history_counts_this_run_and_problem_before_the_step_only() -> None:
    counts = answer_counts(rollouts(GROUPS), unreadable="excluded").table
    assert history_before(counts, "a", "p", 2) == {"x": 4, "y": 2, "z": 1, None: 1}
    assert history_before(counts, "a", "p", 0) == {}


def test_bonus_and_advantage_by_hand() -> None:
    table = rollouts(GROUPS)
    history = history_before(answer_counts(table).table, "a", "p", 2)
    found = explore(group_of(table), history, BonusOptions("ucb-con", c=0.2, b0=0.5))
    rows = found.table
    assert rows["seen_before"].tolist() == [4, 2, 0, 0]
    bonus = [0, 1 / np.sqrt(2) - 0.5, 0.5, 0.5]
    np.testing.assert_allclose(rows["bonus"], bonus)
    rewards = np.array([0, 0, 0, 1.0])
    advantage = (rewards - 0.25) / (rewards.std() + 1e-6)
    np.testing.assert_allclose(rows["advantage"], advantage)
    np.testing.assert_allclose(rows["advantage_with_bonus"], advantage + 0.2 * np.array(bonus))
    assert rows["rank_before"].tolist() == [3, 3, 3, 1]
    assert rows["rank_after"].tolist() == [4, 3, 2, 1]
    assert rows["moved"].tolist() == [-1, 0, 1, 0]
    assert (found.n_moved, found.status) == (2, "mixed")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_group_that_is_right_throughout_is_paid_nothing(scheme) -> None:
    table = rollouts({("a", 0, "p"): ["r", "r", "r"]})
    found = explore(table, {"r": 9}, BonusOptions(scheme))
    assert found.table["bonus"].tolist() == [0, 0, 0]
    assert found.table["advantage_with_bonus"].tolist() == [0, 0, 0]
    assert found.n_moved == 0


def test_with_none_or_c_zero_the_ranking_stays() -> None:
    table = group_of(rollouts(GROUPS))
    for options in (BonusOptions("none"), BonusOptions("ucb", c=0.0)):
        found = explore(table, {"x": 9}, options)
        assert found.n_moved == 0
        assert found.agreement == pytest.approx(1)


def test_unreadable_answers_share_one_history_by_either_name() -> None:
    table = group_of(rollouts(GROUPS), step=1)
    for unreadable in ("bucket", "excluded"):
        counts = answer_counts(rollouts(GROUPS), unreadable=unreadable).table
        history = history_before(counts, "a", "p", 2)
        seen = explore(table, history, BonusOptions("ucb")).table["seen_before"].tolist()
        assert seen == [4, 1, 2, 1]


def test_the_group_itself_can_be_counted_too() -> None:
    table = group_of(rollouts(GROUPS), problem="q")
    found = explore(table, {"x": 5}, BonusOptions("ucb", count_group=True))
    assert found.table["seen_before"].tolist() == [9] * 4
    np.testing.assert_allclose(found.table["bonus"], 1 / 3)


def test_n_takes_the_first_samples_in_their_order() -> None:
    table = group_of(rollouts(GROUPS)).iloc[::-1]
    found = explore(table, {}, BonusOptions("batch", n=2))
    assert found.table["answer"].tolist() == ["x", "y"]


def test_samples_without_a_reward_are_left_out_and_counted() -> None:
    table = group_of(rollouts(GROUPS)).copy()
    table.loc[table["sample"] == 0, "reward"] = np.nan
    found = explore(table, {}, BonusOptions("batch"))
    assert found.left_out == {NO_REWARD: 1}
    assert len(found.table) == 3
    with pytest.raises(TableError, match="finite reward"):
        explore(table.assign(reward=np.nan), {}, BonusOptions())


def test_a_group_of_one_has_no_ranking_to_move() -> None:
    found = explore(rollouts({("a", 0, "p"): ["x"]}), {}, BonusOptions("ucb-mean"))
    assert found.table["bonus"].tolist() == [0]
    assert np.isnan(found.agreement)


def test_decay_is_what_one_answer_is_paid_as_it_is_seen_more() -> None:
    paid = bonus_decay("ucb-con", b0=0.5, c=0.2, most=9).set_index("seen")["paid"]
    np.testing.assert_allclose(paid[[0, 1, 4, 9]], [0.1, 0.1, 0.0, 0.2 * (1 / 3 - 0.5)])
    assert (bonus_decay("batch", b0=0.5, c=0.2)["paid"] == 0).all()


def test_groups_are_listed_with_what_is_in_them() -> None:
    index = group_index(answer_counts(rollouts(GROUPS)).table)
    row = index.query("run == 'a' and step == 2 and problem_id == 'p'").iloc[0]
    assert (row["n"], row["n_correct"], row["distinct"], row["status"]) == (4, 1, 4, "mixed")
    assert index.query("problem_id == 'q'")["status"].tolist() == ["all wrong"]
