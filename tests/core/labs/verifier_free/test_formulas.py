"""Aggregates, debiasing, the filter and NOVER against vectors and brute force."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from core.errors import SettingsError, TableError
from core.labs.verifier_free.aggregates import (
    AGGREGATES,
    Span,
    aggregate,
    aggregate_all,
    effect_of_token,
    has_impossible,
)
from core.labs.verifier_free.debias import (
    SHAPES,
    Debias,
    bfloat16,
    debiased,
    rlpr_score,
    shaped,
)
from core.labs.verifier_free.filter import FilterOptions, group_std, next_average, run_filter
from core.labs.verifier_free.rewards import (
    ADVANTAGES,
    RewardOptions,
    advantages,
    nover_efficiency,
    nover_perplexity,
    nover_ranks,
    side_by_side,
)
from core.labs.verifier_free.tables import DAMAGED, NO_TOKENS, TWICE, read_scores

LOW, HIGHER = np.log([0.01, 0.7, 0.9]), np.log([0.05, 0.7, 0.9])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (LOW, (0.536667, 0.0063, 0.184691, -1.689069)),
        (HIGHER, (0.55, 0.0315, 0.315818, -1.152589)),
    ],
)
def test_aggregates_of_the_vectors(values, expected):
    got = [aggregate(values, how) for how in AGGREGATES]
    assert got == pytest.approx(expected, abs=1e-6)


def test_aggregates_by_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.uniform(0.001, 1, rng.integers(1, 9))
        logs = np.log(p)
        product = math.prod(p)
        expected = [sum(p) / len(p), product, product ** (1 / len(p)), sum(logs) / len(p)]
        assert [aggregate(logs, how) for how in AGGREGATES] == pytest.approx(expected)


def test_a_token_of_probability_zero_is_flagged_and_makes_no_nan():
    logs = [-np.inf, 0.0]
    assert [aggregate(logs, how) for how in AGGREGATES] == [0.5, 0, 0, -np.inf]
    assert has_impossible(logs)
    assert not has_impossible([0.0])


def test_nothing_left_and_nan_have_no_aggregate():
    for values in ([], [np.nan, 0.0]):
        assert all(math.isnan(aggregate(values, how)) for how in AGGREGATES)
    assert math.isnan(aggregate([-1.0], "mean", span=Span(start=3)))
    assert np.isnan(aggregate_all([None], "mean")).all()


def test_a_span_leaves_tokens_away():
    assert aggregate(LOW, "product", span=Span(1, 1)) == pytest.approx(0.7)
    assert aggregate(LOW, "mean", span=Span(0, 2)) == pytest.approx(0.01)


def test_the_effect_of_a_token():
    effects = effect_of_token(LOW, "product")
    assert effects == pytest.approx([0.63 - 0.0063, 0.009 - 0.0063, 0.007 - 0.0063])
    assert effect_of_token(LOW, "mean") == pytest.approx([0.99 / 3, 0.1, 0.1 / 3])
    assert effect_of_token([-np.inf, 0.0], "mean-log")[0] == np.inf


def test_debiasing_and_weights_of_the_vectors():
    assert debiased([0.62, 0.45], 0.5) == pytest.approx([0.12, 0])
    assert rlpr_score([0.62, 0.62], [0.5, 0.5], [True, False]) == pytest.approx([0.208, 0.108])
    assert rlpr_score([0.62], [0.5], [True], Debias(baseline=False)) == pytest.approx([0.658])


def test_a_baseline_without_tokens_is_zero_as_in_the_code():
    assert rlpr_score([0.5], [np.nan], [True]) == pytest.approx([0.55])


def test_shapes():
    d = np.array([-0.5, 0.02, 1.5, np.nan])
    got = {shape: shaped(d, shape, 0.05) for shape in SHAPES}
    assert all(np.isnan(values[3]) for values in got.values())
    expected = {
        "zero if negative": [0, 0.02, 1.5],
        "clip": [0, 0.02, 1],
        "identity": [-0.5, 0.02, 1.5],
        "one minus": [1.5, 0.98, -0.5],
        "threshold": [0, 0, 1.5],
        "sigmoid": [1 / (1 + math.exp(-0.05 * (2 * x - 1))) for x in d[:3]],
        "leaky": [-0.005, 0.0002, 1.5],
    }
    for shape, values in expected.items():
        assert got[shape][:3] == pytest.approx(values)
    # Steepness 0 stands for the plain sigmoid.
    assert shaped(0.3, "sigmoid", 0.0) == pytest.approx(1 / (1 + math.exp(-0.3)))


def test_rounding_equals_that_of_torch():
    values = np.random.default_rng(1).uniform(0, 1, 2000)
    expected = torch.tensor(values, dtype=torch.float32).bfloat16().double().numpy()
    assert np.array_equal(bfloat16(values), expected)
    assert np.isnan(bfloat16([np.nan]))[0]


def test_rounding_is_of_the_score_after_the_reasoning_and_not_of_the_baseline():
    how = Debias(shape="identity", format_weight=0.0, rounded=True)
    rounded = torch.tensor(0.62).bfloat16().item()
    assert rounded == 0.62109375
    assert rlpr_score([0.62], [0.3], [True], how) == pytest.approx([rounded - 0.3], abs=1e-12)


def test_the_spread_of_a_group():
    assert group_std([0.2, 0.4, 0.9, 0.5]) == pytest.approx(0.294392, abs=1e-6)
    assert group_std([0.3, 0.3 + 1e-12]) == 0
    assert math.isnan(group_std([0.3, np.nan]))


def test_the_moving_average_of_the_vector():
    average = next_average(0.10, 0.20)
    assert average == pytest.approx(0.101)
    assert 0.5 * average == pytest.approx(0.0505)


def test_the_filter_collects_then_filters_with_an_inclusive_bound():
    steps = [[0.3, 0.1]] * 5 + [[0.1, 0.3]] * 5 + [[0.1, 0.0999, 0.5], [0.1, 0.2]]
    table = run_filter(steps).set_index("step")
    assert table.loc[:10, "bound"].isna().all()
    assert (table.loc[:10, "n_kept"] == table.loc[:10, "n_groups"]).all()
    assert table.loc[11, "average"] == pytest.approx(0.2)
    assert table.loc[11, "n_kept"] == 2  # 0.1 is the bound itself
    mean = (0.1 + 0.0999 + 0.5) / 3
    assert table.loc[12, "average"] == pytest.approx(0.99 * 0.2 + 0.01 * mean)


def test_the_filter_by_brute_force():
    rng = np.random.default_rng(4)
    steps = [rng.uniform(0, 0.4, 6) for _ in range(30)]
    options = FilterOptions(beta=0.9, ratio=0.8, collect_from=3, filter_from=7)
    table = run_filter(steps, options)
    average = np.mean([np.mean(step) for step in steps[2:6]])
    for number in range(7, 31):
        if number > 7:
            average = 0.8 * average + 0.2 * np.mean(steps[number - 2])
        row = table.iloc[number - 1]
        assert row["average"] == pytest.approx(average)
        assert row["n_kept"] == sum(std >= 0.9 * average for std in steps[number - 1])


def test_the_filter_with_groups_of_one_and_with_bad_options():
    table = run_filter([[np.nan, 0.1]] * 12)
    assert table["n_without"].tolist() == [1] * 12
    assert table["n_kept"].iloc[-1] == 1
    with pytest.raises(SettingsError):
        FilterOptions(collect_from=5, filter_from=5)
    with pytest.raises(SettingsError):
        FilterOptions(ratio=1.5)


def test_advantages_of_the_vector():
    rewards = [0.2, 0.4, 0.9, 0.5]
    assert advantages(rewards, "RLOO") == pytest.approx([-0.4, -0.1333333, 0.5333333, 0], abs=1e-6)
    assert advantages(rewards, "mean") == pytest.approx([-0.3, -0.1, 0.4, 0])
    got = advantages(rewards, "GRPO std")
    assert got == pytest.approx(np.array([-0.3, -0.1, 0.4, 0]) / 0.254951, abs=1e-4)
    sample = advantages(rewards, "GRPO sample std")
    assert sample == pytest.approx(np.array([-0.3, -0.1, 0.4, 0]) / 0.294392, abs=1e-4)


@pytest.mark.parametrize("kind", ADVANTAGES)
@pytest.mark.parametrize("rewards", [[0.3, 0.3 + 1e-10], [0.5], [0.0, 0.0, 0.0]])
def test_float_noise_is_never_divided_by(rewards, kind):
    assert (advantages(rewards, kind) == 0).all()


def test_perplexities_of_the_vector():
    got = [nover_perplexity(2, n) for n in (1, 10, 100, 1000)]
    assert got == pytest.approx([7.389056, 2.718282, 1.947734, 1.648721], abs=1e-6)
    assert nover_perplexity(2, 1000, normalised=False) == pytest.approx(math.exp(2))
    assert nover_perplexity(np.inf, 10) == np.inf


def test_ranks_and_efficiency_of_the_vector():
    perplexities, lengths = [1.2, 1.5, 2.0], [120, 100, 200]
    valid = [True] * 3
    assert nover_ranks(perplexities, valid) == pytest.approx([1, 2 / 3, 1 / 3])
    assert nover_efficiency(perplexities, lengths, valid) == pytest.approx([0.5, 0.5, 0])


def test_invalid_completions_get_nothing_and_one_alone_no_efficiency():
    assert nover_ranks([1.2, 1.0], [True, False]) == pytest.approx([1, 0])
    assert nover_efficiency([1.2, 1.5], [1, 2], [True, False]).tolist() == [0, 0]
    assert nover_ranks([1.0, 1.0], [True, True]) == pytest.approx([0.75, 0.75])


def group(**changes) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "problem_id": ["p"] * 3,
            "trace_id": list("abc"),
            "correct": [True, False, None],
            "ref_log_probabilities": [LOW, HIGHER, np.log([0.5, 0.5, 0.5])],
            "ref_log_probabilities_without": [np.log([0.5, 0.5, 0.5])] * 3,
            "n_trace_tokens": [120, 100, 200],
        }
    )
    return read_scores(table.assign(**changes)).references


def test_the_methods_side_by_side():
    table = side_by_side(group()).set_index(["method", "trace_id"])
    assert table.loc["VeriFree", "reward"].tolist() == pytest.approx([0.0063, 0.0315, 0.125])
    expected = [0.9 * 0.036667 + 0.1, 0.9 * 0.05 + 0.1, 0.1]
    assert table.loc["RLPR", "reward"].tolist() == pytest.approx(expected, abs=1e-6)
    # Perplexities: exp(1.689/3.079), exp(1.153/3), exp(.693/3.301): c, b, a.
    assert table.loc["NOVER", "rank_reward"].tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert table.loc["NOVER", "efficiency"].tolist() == pytest.approx([0, 0.5, 0])
    assert table.loc["NOVER", "reward"].tolist() == pytest.approx([4 / 3, 13 / 6, 2])
    assert set(table["advantage_kind"]) == {"RLOO", "GRPO sample std", "mean"}
    # Rewards .133, .145, .1 less their mean .126, over the sample standard deviation .023363.
    rlpr = np.array([0.133, 0.145, 0.1])
    expected = (rlpr - rlpr.mean()) / rlpr.std(ddof=1)
    assert table.loc["RLPR", "advantage"].tolist() == pytest.approx(expected, abs=1e-3)
    assert table.groupby("method")["advantage"].sum().abs().max() < 1e-9
    assert not table["flat"].any()


def test_a_clipped_group_is_flat_and_an_impossible_token_is_flagged():
    logs = np.log([0.1, 0.1, 0.1])
    clipped = side_by_side(group(ref_log_probabilities=[logs, logs / 2, logs]))
    assert clipped.loc[clipped["method"] == "RLPR", "flat"].all()
    assert (clipped.loc[clipped["method"] == "RLPR", "advantage"] == 0).all()
    hard = side_by_side(group(ref_log_probabilities=[np.array([-np.inf, 0, 0]), LOW, HIGHER]))
    first = hard.loc[(hard["method"] == "VeriFree") & (hard["trace_id"] == "a")].iloc[0]
    assert first["reward"] == 0
    assert first["impossible"]


def test_without_a_baseline_rlpr_has_no_reward_and_says_so():
    bare = group(ref_log_probabilities_without=[None] * 3)
    rows = side_by_side(bare)
    assert rows.loc[rows["method"] == "RLPR", "reward"].isna().all()
    plain = side_by_side(bare, RewardOptions(debias=Debias(baseline=False)))
    assert plain.loc[plain["method"] == "RLPR", "reward"].notna().all()


def test_damaged_rows_are_counted():
    table = pd.DataFrame(
        {
            "problem_id": ["p"] * 6,
            "trace_id": ["a", "a", "b", "c", "d", "e"],
            "ref_log_probabilities": [[-1.0], [-2.0], [], [np.nan], [0.5], None],
        }
    )
    scores = read_scores(table)
    assert len(scores.table) == 1
    assert scores.left_out == {TWICE: 1, NO_TOKENS: 2, DAMAGED: 2}
    with pytest.raises(TableError, match="trace_id"):
        read_scores(table.drop(columns="trace_id"))
    with pytest.raises(TableError, match="No row"):
        read_scores(table.iloc[2:])
