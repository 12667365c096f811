"""Squared MMD: the formula, its test and its interval, planted and null dependence, odd bins."""

import itertools

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.invariance.discrepancy import mmd_matrix, squared_mmd
from core.labs.invariance.mmd import MmdOptions, MmdResult, run

from .made import scored_pairs

HALF = 0.5**0.5
"""The bandwidth with kernel exp(-(x - y)^2), that of the vectors."""


def brute_force(x: np.ndarray, y: np.ndarray, bandwidth: float, unbiased: bool) -> float:
    def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
        terms = [
            np.exp(-((a[i] - b[j]) ** 2) / (2 * bandwidth**2))
            for i, j in itertools.product(range(len(a)), range(len(b)))
            if not (same and unbiased and i == j)
        ]
        return float(np.mean(terms))

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


def table_of(
    n: int, seed: int, *, slope: float = 0.0, by_prompt: float = 0.7
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rewards and quartile bins of an attribute; both depend on the prompt and on the side."""
    rng = np.random.default_rng(seed)
    attribute = by_prompt * rng.normal(size=(n, 1)) + rng.normal(size=(n, 2))
    rewards = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 2)) + slope * attribute
    rewards[:, 0] += 0.5
    return scored_pairs(rewards), pd.qcut(attribute.ravel(), 4, labels=False)


def test_vectors() -> None:
    assert squared_mmd([0], [1], HALF) == pytest.approx(1.264241, abs=1e-6)
    assert squared_mmd([0, 1], [1, 2], HALF) == pytest.approx(0.490842, abs=1e-6)
    assert squared_mmd([0, 1], [0, 1], HALF) == pytest.approx(0.0, abs=1e-12)
    assert squared_mmd([0, 1], [0, 1], HALF, unbiased=True) == pytest.approx(-0.632121, abs=1e-6)


def test_sum_over_three_bins_unordered_and_ordered() -> None:
    result = run(
        scored_pairs(np.array([[0.0, 1.0], [1.0, np.nan]])),
        ["a", "b", "c", None],
        MmdOptions(bandwidth=HALF, estimator="biased", fewest_members=1, n_permutations=20),
    )
    total = result.sums[result.sums["condition"] == "total"].iloc[0]
    assert total["biased"] == pytest.approx(2.528482, abs=1e-6)
    assert total["biased_ordered"] == pytest.approx(5.056964, abs=1e-6)
    assert result.total.value == pytest.approx(2.528482, abs=1e-6)
    assert result.left_out == {"no reward": 1}


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_matrix_equals_brute_force(unbiased: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rewards, labels = rng.normal(size=15).round(1), np.repeat([0, 1, 2], [4, 5, 6])
    matrix = mmd_matrix(rewards, labels, 0.8, unbiased=unbiased)
    for a, b in itertools.combinations(range(3), 2):
        expected = brute_force(rewards[labels == a], rewards[labels == b], 0.8, unbiased)
        assert matrix[a, b] == matrix[b, a] == pytest.approx(expected, abs=1e-10)
    assert (np.diag(matrix) == 0).all()


def test_too_small_samples_have_no_unbiased_value() -> None:
    assert np.isnan(squared_mmd([1.0], [2.0, 3.0], 1.0, unbiased=True))
    assert np.isnan(squared_mmd([], [2.0, 3.0], 1.0))


@pytest.mark.parametrize("conditional", [False, True])
def test_a_planted_slope_is_found(conditional: bool) -> None:
    scored, bins = table_of(100, 1, slope=0.8)
    result = run(scored, bins, MmdOptions(conditional=conditional, n_permutations=999))
    assert result.test.p_value < 0.01
    assert result.total.low > 0
    assert result.total.value > result.critical
    assert result.exchange is not None
    expected = "between prompts" if conditional else "within prompt"
    assert result.exchange.scheme == expected


@pytest.mark.parametrize(
    ("conditional", "scheme"),
    [(False, "within prompt"), (False, "between prompts"), (True, "between prompts")],
)
def test_false_alarms_are_as_rare_as_promised(conditional: bool, scheme: str) -> None:
    """Rewards and attributes that are each alike within a prompt, and independent of each other."""
    options = MmdOptions(conditional=conditional, exchange=scheme, n_permutations=99)
    p_values = []
    for seed in range(200):
        scored, bins = table_of(25, seed)
        if not conditional:
            # Unconditional independence includes the side: leave its effect out.
            scored.loc[scored["side"] == "chosen", "reward"] -= 0.5
        p_values.append(run(scored, bins, options).test.p_value)
    # 200 runs at level .05 raise more than 18 alarms once in a thousand times.
    assert (np.array(p_values) <= 0.05).sum() <= 18
    assert 0.35 < np.mean(p_values) < 0.65


def test_conditional_tolerates_an_attribute_that_goes_with_the_side_only() -> None:
    rng = np.random.default_rng(3)
    rewards = rng.normal(loc=[2.0, 0.0], size=(150, 2))
    has = np.stack([rng.random(150) < 0.8, rng.random(150) < 0.2], axis=1).ravel()
    scored = scored_pairs(rewards)
    assert run(scored, has, MmdOptions(n_permutations=199)).test.p_value < 0.01
    assert run(scored, has, MmdOptions(conditional=True, n_permutations=199)).test.p_value > 0.05


def test_permutation_p_value_equals_brute_force_over_all_arrangements() -> None:
    rewards = np.array([[0.0, 1.0], [0.3, 1.4], [0.2, 0.1], [0.5, 2.0]])
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    options = MmdOptions(
        bandwidth=1.0, estimator="biased", exchange="within prompt", n_permutations=20_000
    )
    found = run(scored_pairs(rewards), labels, options).test
    values = []
    for flips in itertools.product([0, 1], repeat=4):
        flipped = labels ^ np.repeat(flips, 2)
        flat = rewards.ravel()
        values.append(brute_force(flat[flipped == 0], flat[flipped == 1], 1.0, False))
    exact = np.mean(np.array(values) >= values[0] - 1e-9)
    assert found.statistic == pytest.approx(values[0])
    assert found.p_value == pytest.approx(exact, abs=0.01)


def test_jackknife_equals_leaving_out_one_prompt_at_a_time() -> None:
    scored, bins = table_of(30, 5, slope=0.5)
    bandwidth = 1.1
    result = run(scored, bins, MmdOptions(bandwidth=bandwidth, n_permutations=10))
    rewards, prompts = scored["reward"].to_numpy(), scored["prompt_id"].to_numpy()
    without = []
    for prompt in np.unique(prompts):
        kept = prompts != prompt
        matrix = mmd_matrix(rewards[kept], bins[kept], bandwidth, unbiased=True)
        without.append(np.triu(matrix).sum())
    n = len(without)
    error = np.sqrt((n - 1) / n * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert (result.total.high - result.total.low) / 2 == pytest.approx(1.959964 * error)


def test_interval_covers_the_truth_of_a_clear_dependence() -> None:
    """Two bins, N(0,1) against N(1,1), kernel width 1: MMD^2 = 2/sqrt(3) (1 - exp(-1/6))."""
    truth = 2 / 3**0.5 * (1 - np.exp(-1 / 6))
    covered = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        bins = np.tile([0, 1], 60)
        scored = scored_pairs(rng.normal(loc=[0.0, 1.0], size=(60, 2)))
        total = run(scored, bins, MmdOptions(bandwidth=1.0, n_permutations=1)).total
        covered += total.low <= truth <= total.high
    assert covered >= 133  # 95 % of 150 is 142; fewer than 133 would be one in a thousand


def test_small_bins_are_reported_and_left_out() -> None:
    scored = scored_pairs(np.random.default_rng(0).normal(size=(10, 2)))
    bins = ["a"] * 9 + ["b"] * 9 + ["c", None]
    result = run(scored, bins, MmdOptions(n_permutations=20))
    small = result.bins[~result.bins["used"]]
    assert small["bin"].tolist() == ["c"]
    assert small["reason"].tolist() == ["fewer than 2 responses"]
    assert result.left_out == {"no attribute": 1, "in a bin with too few responses": 1}
    assert result.total.n == 18
    assert set(result.matrix["bin_a"]) == {"a", "b"}


@pytest.mark.parametrize("bins", [[], ["a"] * 6, [None] * 6])
def test_nothing_to_compare_is_said(bins: list[object]) -> None:
    scored = scored_pairs(np.zeros((len(bins) // 2, 2)))
    result = run(scored, bins)
    assert np.isnan(result.total.value)
    assert np.isnan(result.test.p_value)
    assert "no two bins" in result.total.method
    assert result.matrix.empty


def test_tied_rewards_have_no_distance_and_no_significance() -> None:
    scored = scored_pairs(np.ones((10, 2)))
    result = run(scored, [0, 1] * 10, MmdOptions(n_permutations=50, estimator="biased"))
    assert result.bandwidth.value == 0
    assert result.total.value == 0
    assert result.test.p_value == 1


def test_one_prompt_has_no_interval() -> None:
    rewards = np.random.default_rng(0).normal(size=(6, 2))
    result = run(scored_pairs(rewards, ["only"] * 6), [0, 1] * 6, MmdOptions(n_permutations=50))
    assert np.isnan(result.total.low)
    assert "no interval" in result.total.method
    assert result.total.n_prompts == 1


def test_rows_with_errors_and_repeated_responses_count_once_and_are_said() -> None:
    scored = scored_pairs(
        np.array([[1.0, 0.0], [1.0, 0.5], [np.nan, 0.2], [2.0, np.inf]]),
        ["p", "p", "q", "q"],
        ["", "", "", "", "too long", "", "", ""],
    )
    texts = ["same", "x", "same", "y", "z", "u", "v", "w"]
    scored["conversation"] = [[{"role": "assistant", "content": text}] for text in texts]
    result = run(scored, [0, 1] * 4, MmdOptions(n_permutations=10, fewest_members=1))
    assert result.left_out["too long"] == 1
    assert result.left_out["no reward"] == 1
    assert result.left_out["same response to the same prompt, counted once"] == 1


def test_order_of_a_categorical_is_kept_and_cells_carry_corrected_p_values() -> None:
    scored, numbers = table_of(60, 2, slope=1.0)
    names = ["short", "middle", "long", "longest"]
    bins = pd.Categorical([names[number] for number in numbers], categories=names, ordered=True)
    result: MmdResult = run(scored, pd.Series(bins), MmdOptions(n_permutations=199))
    assert result.bins["bin"].tolist() == names
    matrix = result.matrix.pivot(index="bin_a", columns="bin_b", values="unbiased")
    ends = matrix.loc["short", "longest"]
    assert ends == matrix.loc["longest", "short"] > matrix.loc["short", "middle"]
    assert (result.matrix["p_adjusted"] >= result.matrix["p_value"]).all()


def test_same_seed_same_result() -> None:
    scored, bins = table_of(20, 0)
    options = MmdOptions(n_permutations=50, seed=3)
    assert run(scored, bins, options).test == run(scored, bins, options).test


def test_wrong_tables_are_named() -> None:
    scored, bins = table_of(5, 0)
    with pytest.raises(TableError, match="attribute values"):
        run(scored, bins[:-1])
    with pytest.raises(TableError, match="lacks side"):
        run(scored.drop(columns="side"), bins)
