"""Reward up while pass@k goes down: flagged where it holds, with its test."""

import numpy as np
import pytest
from scipy.stats import fisher_exact

from core.labs.collapse.counts import answer_counts
from core.labs.collapse.flags import BOTH, FEWER, FlagOptions, _fisher, flags
from tests.core.labs.collapse.tables import rollouts

HALVES = FlagOptions(k=4, share=0.5)


def flags_of(table, options=HALVES):
    return flags(answer_counts(table).table, options)


def trade(n_problems: int) -> dict:
    """Half of the problems go from half right to all right, half from rarely right to never."""
    groups = {}
    for p in range(n_problems):
        easy = p % 2 == 0
        groups["m", 0, f"p{p}"] = ["r", "r", "x", "y"] if easy else ["r", "x", "y", "z"]
        groups["m", 1, f"p{p}"] = ["r"] * 4 if easy else ["x"] * 4
    return groups


def test_a_run_that_trades_rare_solutions_for_sure_ones_is_flagged() -> None:
    found = flags_of(rollouts(trade(16)))
    (run,) = found.runs
    assert run.reward.value == pytest.approx((0.5 - 0.25) / 2)
    assert run.pass_at_k.value == pytest.approx(-0.5)
    assert run.p_value == pytest.approx(max(0.05, run.p_value))  # the reward's change is small
    assert run.suspected
    assert not run.flagged
    many = flags_of(rollouts(trade(80)))
    assert many.runs[0].flagged
    assert many.runs[0].p_value < 0.05


def test_a_run_that_only_gains_is_not_flagged() -> None:
    groups = {("m", 0, f"p{p}"): ["r", "x", "y", "z"] for p in range(10)}
    groups |= {("m", 1, f"p{p}"): ["r", "r", "r", "x"] for p in range(10)}
    (run,) = flags_of(rollouts(groups)).runs
    assert not run.flagged
    assert not run.suspected


def test_one_problem_cannot_be_flagged_while_its_reward_is_correctness() -> None:
    rng = np.random.default_rng(0)
    groups = {
        ("m", s, f"p{p}"): ["r" if a < 2 else f"w{a}" for a in rng.integers(0, 6, 8)]
        for s in range(2)
        for p in range(40)
    }
    found = flags_of(rollouts(groups))
    assert BOTH not in set(found.problems["flag"])
    assert FEWER in set(found.problems["flag"])


def test_a_problem_is_flagged_where_the_reward_pays_for_something_else() -> None:
    table = rollouts({("m", 0, "p"): ["r", "r", "x", "y"], ("m", 1, "p"): ["x"] * 4})
    table["reward"] = table["step"].astype(float)
    row = flags_of(table).problems.iloc[0]
    assert row["flag"] == BOTH
    assert row["reward_change"] == 1
    # Fisher: 2 of 4 right against 0 of 4, two-sided.
    assert row["p_value"] == pytest.approx(3 / 7)
    assert row["adjusted_p"] == pytest.approx(3 / 7)


def test_missing_rewards_are_read_as_the_share_right() -> None:
    table = rollouts(trade(4)).assign(reward=np.nan)
    (run,) = flags_of(table).runs
    assert run.reward.value == pytest.approx(0.125)


def test_problems_with_too_few_samples_are_left_out_and_counted() -> None:
    groups = trade(4) | {("m", 0, "few"): ["r"], ("m", 1, "few"): ["x"]}
    (run,) = flags_of(rollouts(groups)).runs
    assert run.pass_at_k.n == 4
    assert run.pass_at_k.left_out == {"fewer than 4 judged samples in a window": 1}


def test_one_step_gives_no_flags() -> None:
    found = flags_of(rollouts({("m", 0, "p"): ["r", "x"]}))
    assert found.runs == ()
    assert found.table().empty
    assert found.problems.empty


def test_the_exact_test_of_a_problem_is_scipys():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n_early, n_late = rng.integers(1, 40, size=2)
        right_early, right_late = rng.integers(0, n_early + 1), rng.integers(0, n_late + 1)
        table = [[right_early, n_early - right_early], [right_late, n_late - right_late]]
        found = _fisher(int(right_early), int(n_early), int(right_late), int(n_late))
        assert found == pytest.approx(fisher_exact(table).pvalue, rel=1e-9)
    assert np.isnan(_fisher(0, 0, 1, 2))
