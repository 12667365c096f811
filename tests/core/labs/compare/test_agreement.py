"""Agreement against SciPy and against loops that leave out one prompt at a time."""

import numpy as np
import pytest
from scipy import stats

from core.labs.compare import CompareOptions, measure_agreement, read_scores
from core.labs.compare.agreement import (
    CORRELATION,
    KENDALL,
    SAME_WINNER,
    kendall_tau,
    margin_correlation,
)
from tests.core.labs.compare.tables import long_table, random_table

FAST = CompareOptions(n_resamples=500)


def left_out_once(statistic, a, b, prompts):
    prompts = np.array(prompts)
    return [statistic(a[prompts != name], b[prompts != name]) for name in dict.fromkeys(prompts)]


def by_hand(value, without):
    """The jackknife interval on Fisher's scale, written out."""
    n = len(without)
    error = np.sqrt((n - 1) / n * np.sum((np.array(without) - np.mean(without)) ** 2))
    reach = stats.t.ppf(0.975, n - 1) * error / (1 - value**2)
    return np.tanh(np.arctanh(value) - reach), np.tanh(np.arctanh(value) + reach)


@pytest.mark.parametrize("seed", range(6))
def test_kendall_equals_scipy_and_its_interval_the_loop(seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(-3, 4, 25).astype(float)  # with ties
    b = a + rng.integers(-3, 4, 25)
    prompts = [f"p{code}" for code in rng.integers(9, size=25)]

    def tau(x, y):
        return stats.kendalltau(x, y).statistic

    found = kendall_tau(a, b, prompts)
    assert found.value == pytest.approx(tau(a, b))
    expected = by_hand(tau(a, b), left_out_once(tau, a, b, prompts))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.n, found.n_prompts) == (25, len(set(prompts)))


@pytest.mark.parametrize("seed", range(6))
def test_correlation_equals_numpy_and_its_interval_the_loop(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(1e3, 1, 25)  # far from zero, where subtraction could lose digits
    b = a + rng.normal(0, 1, 25)
    prompts = [f"p{code}" for code in rng.integers(9, size=25)]

    def pearson(x, y):
        return np.corrcoef(x, y)[0, 1]

    found = margin_correlation(a, b, prompts)
    assert found.value == pytest.approx(pearson(a, b))
    expected = by_hand(pearson(a, b), left_out_once(pearson, a, b, prompts))
    assert (found.low, found.high) == pytest.approx(expected)


def test_jackknife_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    hits = np.zeros(2)
    for _ in range(150):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=50).T
        prompts = [str(i) for i in range(50)]
        truths = (2 / np.pi * np.arcsin(0.6), 0.6)  # tau of a bivariate normal; its correlation
        for place, measure in enumerate((kendall_tau, margin_correlation)):
            found = measure(x, y, prompts)
            hits[place] += found.low <= truths[place] <= found.high
    # Binomial(150, 0.95) is below 133 with probability 0.002.
    assert (hits >= 133).all()


def test_blocks_do_not_change_kendall(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30))
    prompts = [f"p{i // 3}" for i in range(30)]
    whole = kendall_tau(a, b, prompts)
    monkeypatch.setattr("core.labs.compare.agreement._MAX_CELLS_PER_BLOCK", 70)
    assert kendall_tau(a, b, prompts) == whole


def test_same_winner_counts_two_ties_as_agreement_and_one_as_half():
    scores = read_scores(long_table({"a": [1, -1, 0, 0, 2], "b": [3, -4, 0, 1, -2]}))
    row = measure_agreement(scores, FAST).table.query("measure == @SAME_WINNER").iloc[0]
    assert row["value"] == pytest.approx((1 + 1 + 1 + 0.5 + 0) / 5)


def test_same_winner_equals_a_loop_over_random_pairs():
    scores = read_scores(random_table(60, ["a", "b"], seed=4))
    a, b = scores.margins["a"], scores.margins["b"]
    expected = np.mean([np.sign(x) == np.sign(y) for x, y in zip(a, b, strict=True)])
    assert measure_agreement(scores, FAST).matrix(SAME_WINNER).loc["b", "a"] == expected


def test_each_two_models_are_compared_on_the_pairs_both_have_scored():
    table = random_table(30, ["a", "b", "c"])
    table.loc[(table["model"] == "c") & (table["pair_id"] == "x4"), "error"] = "failed"
    found = measure_agreement(read_scores(table), FAST)
    assert found.table.groupby(["first", "second"])["n"].first().tolist() == [30, 29, 29]
    assert found.left_out["a", "c"] == {"failed": 1}
    assert found.table[["low", "high", "n", "n_prompts"]].notna().all(axis=None)
    square = found.matrix(KENDALL)
    assert np.array_equal(square, square.T)
    assert (np.diag(square) == 1).all()


def test_agreement_does_not_depend_on_the_models_units():
    table = random_table(30, ["a", "b"])
    scaled = table.copy()
    scaled.loc[scaled["model"] == "a", ["reward_chosen", "reward_rejected"]] *= 1000
    first, second = (
        measure_agreement(read_scores(t), FAST).table["value"] for t in (table, scaled)
    )
    assert first.tolist() == pytest.approx(second.tolist())


def test_perfect_agreement_says_that_its_interval_has_no_width():
    scores = read_scores(long_table({"a": [1.0, 2.0, 3.0, -1.0], "b": [2.0, 4.0, 6.0, -2.0]}))
    table = measure_agreement(scores, FAST).table.set_index("measure")
    for measure in (KENDALL, CORRELATION):
        assert table.loc[measure, ["value", "low", "high"]].tolist() == pytest.approx([1, 1, 1])
        assert "no width" in table.loc[measure, "method"]


def test_what_does_not_exist_is_nan_with_its_n():
    constant = read_scores(long_table({"a": [1.0, 1.0, 1.0], "b": [1.0, 2.0, 3.0]}))
    table = measure_agreement(constant, FAST).table.set_index("measure")
    assert table.loc[[KENDALL, CORRELATION], "value"].isna().all()
    assert table["n"].tolist() == [3, 3, 3]
    one = kendall_tau(np.array([1.0, 2.0]), np.array([1.0, 3.0]), ["only", "only"])
    assert one.value == 1.0
    assert np.isnan(one.low)
    nothing = kendall_tau(np.array([]), np.array([]), [])
    assert np.isnan(nothing.value)
    assert nothing.n == 0


def test_infinite_margins_keep_their_order_and_leave_the_correlation():
    table = long_table({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 3.0, 2.0, 4.0]})
    table.loc[3, "reward_chosen"] = np.inf
    found = measure_agreement(read_scores(table), FAST).table.set_index("measure")
    assert found.loc[KENDALL, "value"] == pytest.approx(
        stats.kendalltau([1, 2, 3, 4], [1, 3, 2, 4])[0]
    )
    assert found.loc[CORRELATION, "n"] == 3
    assert found.loc[CORRELATION, "left_out"] == "infinite: 1"
