"""Areas, rank correlations, the paraphrase test and the estimators against brute force."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from core.errors import TableError
from core.labs.verifier_free.estimator import analytic_gradient, analytic_reward, demonstrate
from core.labs.verifier_free.paraphrase import components, order_changes, paraphrase_test
from core.labs.verifier_free.quality import (
    LENGTH,
    auc,
    auc_estimate,
    correlation_table,
    quality_table,
    roc_curve,
    spearman,
    weighted_auc,
)
from core.labs.verifier_free.tables import read_scores


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_area_of_the_vector():
    assert auc([0.9, 0.6, 0.6, 0.2], [True, True, False, False]) == pytest.approx(0.875)


def test_areas_equal_those_of_scikit_learn_with_weights_and_ties():
    draw = rng(1)
    for _ in range(30):
        scores = np.round(draw.uniform(0, 1, 25), 1)
        right = draw.random(25) < 0.4
        weights = draw.integers(0, 4, (3, 25)).astype(float)
        expected = [roc_auc_score(right, scores, sample_weight=row) for row in weights]
        assert weighted_auc(scores, right, weights) == pytest.approx(expected)


def test_minus_infinity_is_a_score_and_one_class_has_no_area():
    assert auc([-np.inf, 0.0], [False, True]) == 1
    assert math.isnan(auc([0.1, 0.2], [True, True]))
    assert math.isnan(auc([], []))


def test_an_estimate_counts_what_it_leaves_out():
    found = auc_estimate(
        [0.9, 0.1, np.nan, 0.5, 0.3, 0.4],
        [True, False, True, None, True, False],
        ["p", "p", "q", "q", "r", "r"],
        rng=rng(),
    )
    assert found.value == pytest.approx(3 / 4)
    assert found.left_out == {"correctness unknown": 1, "no score": 1}
    assert (found.n, found.n_prompts) == (4, 2)
    assert found.low <= found.value <= found.high


def test_within_problems_only_pairs_of_one_problem_count():
    scores, labels = [0.9, 0.8, 0.2, 0.1, 0.5], [True, False, True, False, True]
    problems = ["easy", "easy", "hard", "hard", "only right"]
    overall = auc_estimate(scores, labels, problems, rng=rng())
    within = auc_estimate(scores, labels, problems, rng=rng(), comparison="within problems")
    assert overall.value == pytest.approx(4 / 6)
    assert within.value == 1
    assert (within.n, within.n_prompts) == (4, 2)
    assert within.left_out == {"problem with only right or only wrong traces": 1}


def test_wordings_are_compared_apart_and_resampled_with_their_problem():
    scores = [0.9, 0.1, 0.2, 0.8, 0.5, 0.4]
    right = [True, False] * 3
    problems, wordings = ["p", "p", "p", "p", "q", "q"], [1, 1, 2, 2, 1, 1]
    found = auc_estimate(
        scores, right, problems, rng=np.random.default_rng(0), comparison="within problems",
        groups=wordings,
    )  # fmt: skip
    assert found.value == pytest.approx(2 / 3)  # .9 above .1 and .5 above .4, but .2 below .8
    assert (found.n, found.n_prompts) == (6, 2)
    together = auc_estimate(
        scores, right, problems, rng=np.random.default_rng(0), comparison="within problems"
    )
    assert together.value == pytest.approx((2 + 1 + 1) / (4 + 1))


def test_the_curve_has_the_area():
    draw = rng(3)
    scores, right = np.round(draw.uniform(size=40), 1), draw.random(40) < 0.5
    curve = roc_curve(scores, right)
    area = np.trapezoid(curve["true_positive"], curve["false_positive"])
    assert area == pytest.approx(auc(scores, right))
    assert curve.iloc[-1][["false_positive", "true_positive"]].tolist() == [1, 1]


def planted(n_problems: int = 30, *, signal: float = 2.0, seed: int = 0) -> pd.DataFrame:
    """Right traces make the reference likelier; longer traces have more entropy."""
    draw, rows = rng(seed), []
    for problem in range(n_problems):
        base = draw.normal(-3, 1)
        for trace, right in zip("abcd", (True, True, False, False), strict=True):
            level = base + signal * right + draw.normal(0, 0.3)
            length = int(draw.integers(40, 120))
            for wording in range(3):
                logs = -np.abs(level + draw.normal(0, 0.1, 3) - 5)
                rows.append(
                    {
                        "problem_id": f"p{problem}",
                        "domain": ("law", "maths")[problem % 2],
                        "trace_id": trace,
                        "correct": right,
                        "wording": wording,
                        "ref_log_probabilities": logs,
                        "ref_log_probabilities_without": np.full(3, base - 5),
                        "n_trace_tokens": length,
                        "entropy": length / 50,
                        "names_reference": bool(draw.random() < 0.5),
                    }
                )
    return read_scores(pd.DataFrame(rows)).table


def test_the_table_of_areas_has_every_score_subset_and_domain():
    table = quality_table(planted(), n_resamples=200)
    first = table.query("subset == 'reference' and domain == 'all'")
    areas = first.set_index(["score", "comparison"])["auc"]
    assert areas["mean", "within problems"] > 0.95
    # A problem's own level is taken away with the baseline, so pooled areas rise.
    assert areas["mean-log - baseline", "all traces"] > areas["mean-log", "all traces"]
    assert 0.3 < areas[LENGTH, "all traces"] < 0.7
    assert set(table["domain"]) == {"all", "law", "maths"}
    assert {"trace does not name it", "trace names the reference", "paraphrases"} <= set(
        table["subset"]
    )
    assert (table["low"] <= table["auc"] + 1e-12).all()


def test_spearman_equals_that_of_scipy_and_ranks_within_problems():
    draw = rng(5)
    x, y = draw.normal(size=40), draw.normal(size=40)
    problems = [number // 4 for number in range(40)]
    found = spearman(x, y, problems, rng=rng(), n_resamples=200)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    level = np.repeat(np.arange(10), 4) * 10.0
    inside = np.tile([0.0, 1, 2, 3], 10)
    against = spearman(
        level + inside, level - inside, problems, rng=rng(), within=True, n_resamples=200
    )
    assert against.value == pytest.approx(-1)
    assert spearman(level + inside, level - inside, problems, rng=rng()).value > 0.9
    assert math.isnan(spearman(np.ones(8), x[:8], problems[:8], rng=rng()).value)


def test_correlations_with_length_and_entropy():
    table = planted()
    first = table.loc[table["wording"] == 0].reset_index(drop=True)
    found = correlation_table(first, first["n_trace_tokens"] * 2.0, n_resamples=100)
    assert found["correlation"].tolist() == pytest.approx([1, 1, 1, 1])
    assert set(found["with"]) == {"n_trace_tokens", "entropy"}


def test_components_by_brute_force():
    draw = rng(6)
    matrix = draw.normal(size=(4, 3))
    got = components(matrix)
    left = [
        matrix[i, j] - matrix[i].mean() - matrix[:, j].mean() + matrix.mean()
        for i, j in itertools.product(range(4), range(3))
    ]
    assert got["interaction"] == pytest.approx(sum(x * x for x in left) / 6)
    assert got["within"] == pytest.approx(np.mean([np.var(row, ddof=1) for row in matrix]))
    shift = components(np.arange(4)[:, None] + np.array([0.0, 5.0, 9.0]))
    assert shift["interaction"] == pytest.approx(0)
    assert shift["between_traces"] == pytest.approx(np.var(range(4), ddof=1))


def test_a_change_of_order_is_seen_and_a_common_shift_is_none():
    assert order_changes(np.array([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0]])) == (0, 0)
    assert order_changes(np.array([[1.0, 9.0], [2.0, 4.0], [3.0, 5.0]])) == (
        pytest.approx(2 / 3),
        1,
    )
    assert order_changes(np.array([[1.0, 2.0], [1.0, 3.0]]))[0] == 0.5


def test_the_stress_test_counts_what_it_cannot_use():
    table = planted(6)
    alone = table.loc[(table["problem_id"] != "p0") | (table["wording"] == 0)]
    hole = alone.drop(alone.loc[alone["problem_id"] == "p1"].index[-1])
    found = paraphrase_test(hole, "mean")
    assert len(found.problems) == 4
    assert found.ratio.left_out == {
        "no paraphrase or a single trace": 1,
        "a reward is missing": 1,
    }
    assert found.ratio.value == pytest.approx(
        found.problems["within"].sum() / found.problems["between"].sum()
    )
    assert 0 <= found.flips.value <= 1


@pytest.mark.parametrize("seed", range(3))
def test_monte_carlo_and_analytic_variances_agree(seed: int):
    draw = rng(seed)
    rewards, policy = draw.uniform(0, 1, 4), draw.dirichlet(np.ones(4))
    table = demonstrate(rewards, policy=policy, group=4, n_draws=40_000, seed=seed).table
    known = table.dropna(subset=["analytic_variance"])
    assert len(known) == 4
    gap = (known["variance"] - known["analytic_variance"]).abs() / known["error"]
    assert gap.max() < 4.5
    assert (table["mean"] - table["analytic_mean"]).abs().max() < 0.02
    by = table.set_index(["estimator", "quantity"])["variance"]
    for quantity in ("reward", "gradient", "gradient, RLOO"):
        assert by["VeriFree", quantity] < by["sampled answer", quantity]


def test_the_analytic_values_by_enumeration():
    r, p = np.array([0.2, 0.7, 0.5]), np.array([0.5, 0.2, 0.3])
    outcomes = [
        (p[z] * (r[z] if paid else 1 - r[z]), float(paid), z)
        for z in range(3)
        for paid in (True, False)
    ]
    mean = sum(chance * value for chance, value, _ in outcomes)
    variance = sum(chance * (value - mean) ** 2 for chance, value, _ in outcomes)
    assert analytic_reward(r, p, 1)["sampled answer"] == pytest.approx((mean, variance))
    vectors = [value * (np.eye(3)[z] - p) for _, value, z in outcomes]
    expected = sum(o[0] * v for o, v in zip(outcomes, vectors, strict=True))
    total = sum(o[0] * ((v - expected) ** 2).sum() for o, v in zip(outcomes, vectors, strict=True))
    gradient, spread = analytic_gradient(r, p, 1)["sampled answer"]
    assert gradient == pytest.approx(expected)
    assert spread == pytest.approx(total)
    assert analytic_gradient(r, p, 4)["sampled answer"][1] == pytest.approx(total / 4)


def test_certain_answers_leave_nothing_to_save_and_one_trace_is_refused():
    found = demonstrate([1.0, 0.0], n_draws=500)
    assert found.saved == 0
    with pytest.raises(TableError):
        demonstrate([0.5])
    with pytest.raises(TableError):
        demonstrate([0.5, 1.5])
