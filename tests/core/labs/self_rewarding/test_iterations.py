"""Pairs over iterations, against means worked out with pandas."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.self_rewarding import iterations
from core.labs.self_rewarding.bound import bound_check
from core.labs.self_rewarding.estimates import POOLED, method_of
from core.labs.self_rewarding.generations import Alteration
from core.labs.self_rewarding.iterations import GAP_RATIO, KEPT, PairRule, rebuild
from core.labs.self_rewarding.pairs import NO_GAP
from tests.core.labs.self_rewarding.made import generations, recorded_pairs, rollouts


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return rollouts()


@pytest.fixture(scope="module")
def result(table: pd.DataFrame) -> iterations.IterationResult:
    problems = table.rename(columns={"step": "iteration"})[["run", "iteration", "problem_id"]]
    return iterations.run(recorded_pairs(table), problems=problems, n_draws=500)


def cell(estimates: pd.DataFrame, **keys: object) -> pd.Series:
    rows = estimates
    for name, value in keys.items():
        rows = rows.loc[rows[name] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_method_is_the_run_without_its_seed() -> None:
    assert [method_of(run) for run in ("a/b/seed-3", "plain")] == ["a/b", "plain"]


def test_gap_of_an_iteration_is_the_mean_over_its_pairs(
    table: pd.DataFrame, result: iterations.IterationResult
) -> None:
    pairs = recorded_pairs(table)
    for run in ("classic/seed-0", "temporal/seed-1"):
        for step in range(4):
            found = cell(result.estimates, run=run, iteration=step, measure="gap")
            rows = pairs.query("run == @run and iteration == @step")
            assert found["value"] == pytest.approx(rows["gap"].mean())
            assert (found["n"], found["n_prompts"]) == (12, 12)


def test_seeds_are_pooled_over_problems(
    table: pd.DataFrame, result: iterations.IterationResult
) -> None:
    pairs = recorded_pairs(table)
    found = cell(result.estimates, method="classic", run=POOLED, iteration=2, measure="gap")
    rows = pairs.loc[pairs["run"].str.startswith("classic") & (pairs["iteration"] == 2)]
    assert found["value"] == pytest.approx(rows["gap"].mean())
    assert (found["n"], found["n_prompts"]) == (24, 12)
    # The interval is that of the problems' means.
    means = rows.groupby("problem_id")["gap"].mean()
    spread = means.std(ddof=0) / np.sqrt(len(means))
    assert (found["high"] - found["low"]) / (2 * 1.96 * spread) == pytest.approx(1, abs=0.15)


def test_dpo_follows_from_the_log_probabilities(result: iterations.IterationResult) -> None:
    pairs = result.pairs
    assert (pairs["margin_before"] == 0).all()
    assert (pairs["weight_before"] == 0.05).all()
    margin = 0.1 * 2 * pairs["gap"]
    assert pairs["margin_after"].to_numpy() == pytest.approx(margin.to_numpy())
    weight = 0.1 / (1 + np.exp(margin))
    assert pairs["weight_after"].to_numpy() == pytest.approx(weight.to_numpy())
    assert pairs["gradient_after"].to_numpy() == pytest.approx(
        (weight * np.sqrt(2 - 2 * pairs["cosine"])).to_numpy()
    )
    assert pairs["loss_after"].to_numpy() == pytest.approx(np.log1p(np.exp(-margin)).to_numpy())


def test_recorded_distance_and_beta_count_before_our_own(table: pd.DataFrame) -> None:
    pairs = recorded_pairs(table).assign(distance=3.0, beta=0.5)
    found = iterations.measured(pairs, beta=0.1)
    assert found["gradient_before"].to_numpy() == pytest.approx(0.25 * 3.0)


def test_change_tells_the_last_iteration_against_the_first(
    table: pd.DataFrame, result: iterations.IterationResult
) -> None:
    pairs = recorded_pairs(table)
    pairs = pairs.loc[pairs["run"].str.startswith("classic")]
    first, last = (pairs.loc[pairs["iteration"] == i, "gap"].mean() for i in (0, 3))
    difference = cell(result.changes, method="classic", measure="gap")
    ratio = cell(result.changes, method="classic", measure=GAP_RATIO)
    assert difference["value"] == pytest.approx(last - first)
    assert ratio["value"] == pytest.approx(last / first)
    # The scores spread by half as much an iteration: an eighth is left after three.
    assert ratio["low"] < 1 / 8 < ratio["high"]
    cosine = cell(result.changes, method="classic", measure="cosine")
    assert (cosine["low"], cosine["high"]) == pytest.approx((0.15, 0.15))


def test_share_of_problems_with_a_pair_counts_those_without(table: pd.DataFrame) -> None:
    pairs = recorded_pairs(table).query("not (iteration == 1 and problem_id == 'p0')")
    problems = table.rename(columns={"step": "iteration"})[["run", "iteration", "problem_id"]]
    found = iterations.run(pairs, problems=problems, n_draws=200).estimates
    kept = cell(found, run="classic/seed-0", iteration=1, measure=KEPT)
    assert (kept["value"], kept["n"]) == (pytest.approx(11 / 12), 12)


def test_one_run_of_a_method_is_not_told_twice(table: pd.DataFrame) -> None:
    one = recorded_pairs(table).query("run == 'classic/seed-0'")
    found = iterations.run(one, n_draws=100)
    assert set(found.estimates["run"]) == {POOLED}


def test_outside_gap_and_agreement(result: iterations.IterationResult) -> None:
    pairs = result.pairs
    gap = pairs["outside_chosen"] - pairs["outside_rejected"]
    assert pairs["outside_gap"].tolist() == gap.tolist()
    agrees = cell(result.estimates, run="classic/seed-0", iteration=0, measure="outside_agrees")
    rows = pairs.query("run == 'classic/seed-0' and iteration == 0")
    assert agrees["value"] == (rows["outside_gap"] > 0).mean()


def test_missing_numbers_are_left_out_and_counted(table: pd.DataFrame) -> None:
    pairs = recorded_pairs(table).query("run == 'classic/seed-0'").reset_index(drop=True)
    pairs.loc[0, "outside_chosen"] = np.nan
    found = cell(
        iterations.run(pairs, n_draws=100).estimates, iteration=0, measure="outside_agrees"
    )
    assert found["n"] == 11
    assert found["left_out"] == '{"no number": 1}'


def test_pairs_without_scores_are_an_error() -> None:
    with pytest.raises(TableError, match="'judge_chosen'"):
        iterations.run(pd.DataFrame({"run": ["a"], "iteration": [0], "problem_id": ["p"]}))


def test_rebuilt_pairs_are_the_recorded_ones_by_the_classic_rule(table: pd.DataFrame) -> None:
    built = rebuild(generations(), PairRule(), n_draws=100).pairs
    recorded = recorded_pairs(table)
    keys = ["run", "iteration", "problem_id"]
    columns = [*keys, "chosen_sample", "rejected_sample", "judge_chosen", "outside_rejected"]
    pd.testing.assert_frame_equal(
        built.sort_values(keys)[columns].reset_index(drop=True),
        recorded.sort_values(keys)[columns].reset_index(drop=True),
        check_dtype=False,
    )


def test_anchor_keeps_the_gap_open_and_wins_the_slot() -> None:
    classic = rebuild(generations(), PairRule(), n_draws=100)
    both = rebuild(generations(), PairRule(anchored=True, future=True), n_draws=100)

    last = {"method": "classic", "run": POOLED, "iteration": 3}
    assert cell(classic.estimates, **last, measure="gap")["value"] < 1
    assert cell(both.estimates, **last, measure="gap")["value"] > 3
    won = cell(both.slots, **last, slot="rejected", source="M0")
    assert won["share"] == 1.0
    assert won["n"] == 24
    shares = both.slots.groupby(["method", "run", "iteration", "slot"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1)


def test_a_noisy_judge_promises_more_than_the_recorded_one_confirms() -> None:
    noisy = rebuild(generations(n_problems=40), PairRule(), Alteration(noise=1.0), n_draws=100)
    at = {"method": "classic", "run": POOLED, "iteration": 3}
    promised = cell(noisy.estimates, **at, measure="gap")["value"]
    real = cell(noisy.estimates, **at, measure="recorded_gap")["value"]
    assert promised > 3 * abs(real)


def test_whole_points_tie_and_what_is_dropped_is_counted() -> None:
    blunt = rebuild(generations(shrink=0.1), PairRule(), Alteration(whole_points=True), n_draws=50)
    lost = blunt.left_out.query("iteration == 3").set_index("reason").loc[[NO_GAP], "n"].sum()
    pairs = blunt.pairs.query("iteration == 3")
    dropped = blunt.left_out.query("iteration == 3")["n"].sum()
    assert lost > 0
    assert len(pairs) + dropped == 4 * 12


def test_no_pair_at_all_is_told_not_raised() -> None:
    one = rebuild(generations(n_samples=1), PairRule(), n_draws=50)
    assert one.pairs.empty
    assert one.left_out["n"].sum() == 4 * 4 * 12
    assert (one.estimates["measure"] == KEPT).all()
    assert (one.estimates["value"] == 0).all()
    assert one.changes.empty


def measured_pairs(distances: list[float], norms: list[float]) -> pd.DataFrame:
    """Pairs of one run, one a problem, with states so far apart and gradients so long."""
    n = len(distances)
    return pd.DataFrame(
        {
            "run": "classic/seed-0", "iteration": 0, "problem_id": [f"p{k}" for k in range(n)],
            "judge_chosen": 1.0, "judge_rejected": 0.0, "distance": distances,
            "gradient_norm": norms,
            **{f"{who}_{side}": -9.0 for who in ("policy", "reference")
               for side in ("chosen_before", "rejected_before")},
        }
    )  # fmt: skip


def test_the_bound_is_held_against_the_measured_gradient() -> None:
    table = iterations.measured(measured_pairs([1, 2, 3, 4], [2, 1, 4, 3]))
    assert table["gradient_before"].tolist() == pytest.approx([0.05, 0.1, 0.15, 0.2])
    found = bound_check(table)
    # Rank differences 1, 1, 1, 1: rho = 1 - 6 * 4 / (4 * 15).
    assert found.value == pytest.approx(0.6)
    assert (found.n, found.n_prompts) == (4, 4)
    assert found.low <= 0.6 <= found.high


def test_the_bound_is_not_judged_without_a_measured_gradient_or_spread() -> None:
    table = iterations.measured(measured_pairs([1, 2, float("nan")], [2, 2, 2]))
    assert bound_check(table.drop(columns="gradient_norm")) is None
    found = bound_check(table)
    assert np.isnan(found.value)
    assert dict(found.left_out) == {"no number": 1}
    assert bound_check(table.iloc[:0]).n == 0


def test_what_was_recorded_during_the_updates_is_estimated() -> None:
    table = measured_pairs([1, 2], [3, 5]).assign(loss=[0.6, 0.4], weight=[0.04, 0.02])
    found = iterations.run(table, n_draws=50).estimates.set_index("measure")["value"]
    assert found["gradient_norm"] == 4
    assert found["loss"] == pytest.approx(0.5)
    assert found["weight"] == pytest.approx(0.03)


def test_embeddings_give_rebuilt_pairs_their_cosine() -> None:
    samples = generations(n_problems=3, n_iterations=2)
    angles = np.linspace(0, np.pi, len(samples.table))
    vectors = np.column_stack([np.cos(angles), np.sin(angles)])
    found = rebuild(
        samples, PairRule(anchored=True), Alteration(most_samples=3), embeddings=vectors, n_draws=50
    )
    rows = samples.table["response"].reset_index().set_index("response")["index"]
    apart = angles[rows[found.pairs["chosen"]]] - angles[rows[found.pairs["rejected"]]]
    assert found.pairs["cosine"].to_numpy() == pytest.approx(np.cos(apart))
    assert "cosine" in found.measures
    with pytest.raises(TableError, match="not as many embeddings"):
        rebuild(samples, PairRule(), embeddings=vectors[:-1])
