"""PPE: correlation of rankings, ROC-AUC and the best-of-k curve, against plain computations."""

import itertools
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.labs.benchmarks import ppe
from core.labs.benchmarks.ppe_models import (
    Battles,
    rank_agreement,
    strengths,
    win_rates,
    wins_matrix,
)
from core.labs.benchmarks.results import BenchmarkOptions
from tests.core.labs.benchmarks.made import item, samples, scored, value

OPTIONS = BenchmarkOptions(n_resamples=100)


def battle(
    name: str, chosen: str, rejected: str, margin: float, *, tie: bool = False
) -> list[dict[str, Any]]:
    own = {"model_chosen": chosen, "model_rejected": rejected, "tie": tie}
    return item(name, ppe.HUMAN, [margin], [0.0], **own)


def test_roc_auc_vector_and_random_cases() -> None:
    scores = np.array([0.9, 0.6, 0.6, 0.2])
    correct = np.array([1.0, 1.0, 0.0, 0.0])
    assert ppe.roc_auc(scores, correct, np.ones(4)) == 0.875
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = rng.integers(0, 5, size=30).astype(float)
        labels = rng.integers(0, 2, size=30).astype(float)
        weights = rng.integers(1, 4, size=30).astype(float)
        expected = roc_auc_score(labels, values, sample_weight=weights)
        assert ppe.roc_auc(values, labels, weights) == pytest.approx(expected)
    assert np.isnan(ppe.roc_auc(np.ones(3), np.ones(3), np.ones(3)))


def test_correctness_metrics_of_two_prompts() -> None:
    drawn = [[0, 1], [2, 1]]
    first = samples("a", "math", [1, 2, 4, 3], [0, 1, 0, 1], pairs=drawn)
    second = samples("b", "math", [5, 5, 5, 5], [1, 0, 0, 0], pairs=[[0, 1]])
    result = ppe.run(scored(first, second), OPTIONS)
    # a: 2 > 1 right, 4 > 2 wrong; b: a tie.
    assert value(result.scores, "math", "accuracy") == pytest.approx((0.5 + 0.5) / 2)
    unit = np.array([0, 1 / 3, 1, 2 / 3, 0.5, 0.5, 0.5, 0.5])
    labels = np.array([0, 1, 0, 1, 1, 0, 0, 0])
    assert value(result.scores, "math", "roc-auc") == pytest.approx(roc_auc_score(labels, unit))
    curve = result.tables["best_of_k"].set_index("k")
    for k in (1, 2, 3, 4):
        subsets = list(itertools.combinations(range(4), k))
        rewards, gold = np.array([1, 2, 4, 3.0]), np.array([0, 1, 0, 1.0])
        picked = np.mean([gold[max(s, key=lambda i: rewards[i])] for s in subsets])
        oracle = np.mean([max(gold[list(s)]) for s in subsets])
        tied_oracle = k / 4
        assert curve.loc[k, "picked"] == pytest.approx((picked + 0.25) / 2)
        assert curve.loc[k, "oracle"] == pytest.approx((oracle + tied_oracle) / 2)
    assert value(result.scores, "math", "best of 4") == pytest.approx((0 + 0.25) / 2)
    assert value(result.scores, "math", "best over k") == pytest.approx(curve["picked"].max())
    loss = ((curve["oracle"] - curve["picked"]) ** 2).mean()
    assert value(result.scores, "math", "loss against the oracle") == pytest.approx(loss)
    assert set(result.missing) == {
        f"{name}: not there" for name in (ppe.HUMAN, *ppe.SETS) if name != "math"
    }
    assert result.overall is None


def test_damaged_samples_are_left_out_and_counted() -> None:
    good = samples("a", "gpqa", [1, 2], [0, 1])
    lost = samples("b", "gpqa", [1, 2], [0, float("nan")])
    beyond = samples("c", "gpqa", [1, 2], [0, 1], pairs=[[0, 7]])
    result = ppe.run(scored(good, lost, beyond), OPTIONS)
    assert result.left_out == {
        "no gold reward": 1,
        "a pair names a sample that is not there": 1,
    }
    assert value(result.scores, "gpqa", "accuracy") == 1


def test_a_set_of_which_nothing_is_usable_does_not_stop_the_rest() -> None:
    lost = samples("b", "gpqa", [float("nan"), 2], [0, 1])
    result = ppe.run(scored(lost, samples("a", "math", [1, 2], [0, 1])), OPTIONS)
    assert value(result.scores, "math", "accuracy") == 1
    assert np.isnan(value(result.scores, "gpqa", "accuracy"))


def test_human_accuracy_leaves_peoples_ties_out_and_says_so() -> None:
    table = scored(
        battle("1", "x", "y", 1.0),
        battle("2", "x", "y", -1.0),
        battle("3", "y", "x", 0.0),
        battle("4", "x", "y", 3.0, tie=True),
    )
    result = ppe.run(table, OPTIONS)
    row = result.scores[result.scores["metric"] == "accuracy"].iloc[0]
    assert row["value"] == pytest.approx(1.5 / 3)
    assert (row["n"], row["n_left_out"]) == (3, 1)


def random_battles(rng: np.random.Generator, n: int, n_models: int) -> Battles:
    names = [f"m{k}" for k in range(n_models)]
    pairs = [tuple(rng.choice(names, size=2, replace=False)) for _ in range(n)]
    outcomes = rng.choice([0.0, 0.5, 1.0], size=(2, n))
    return Battles.of(pairs, outcomes[0], outcomes[1])


def test_strengths_maximise_the_bradley_terry_likelihood() -> None:
    rng = np.random.default_rng(2)
    wins = rng.integers(1, 9, size=(4, 4)).astype(float)
    np.fill_diagonal(wins, 0)

    def likelihood(log_strengths: np.ndarray) -> float:
        difference = log_strengths[:, None] - log_strengths[None, :]
        return float((wins * -np.log1p(np.exp(-difference))).sum())

    found = np.log(strengths(wins))
    best = likelihood(found)
    for _ in range(200):
        assert likelihood(found + rng.normal(scale=0.05, size=4)) <= best + 1e-6


def test_two_models_strengths_are_their_win_rates() -> None:
    assert strengths(np.array([[0.0, 3], [1, 0]])) == pytest.approx([0.75, 0.25], abs=1e-6)
    lonely = strengths(np.array([[0.0, 3, 0], [1, 0, 0], [0, 0, 0]]))
    assert np.isnan(lonely[2])


def test_wins_and_rates_by_loops() -> None:
    rng = np.random.default_rng(5)
    battles = random_battles(rng, 40, 4)
    weights = rng.integers(0, 3, size=40).astype(float)
    wins = np.zeros((4, 4))
    for i, j, outcome, times in zip(
        battles.first, battles.second, battles.people, weights, strict=True
    ):
        wins[i, j] += outcome * times
        wins[j, i] += (1 - outcome) * times
    found = wins_matrix(battles, battles.people, weights)
    assert found == pytest.approx(wins)
    rates = win_rates(found)
    i, j = 0, 1
    assert rates[i, j] == pytest.approx(wins[i, j] / (wins[i, j] + wins[j, i]))


def test_a_reward_model_that_agrees_with_people_ranks_as_they_do() -> None:
    rng = np.random.default_rng(7)
    battles = random_battles(rng, 300, 6)
    same = Battles(battles.models, battles.first, battles.second, battles.people, battles.people)
    assert rank_agreement(same) == pytest.approx(
        {"spearman": 1, "kendall": 1, "row-wise pearson": 1}
    )
    opposite = Battles(
        battles.models, battles.first, battles.second, battles.people, 1 - battles.people
    )
    assert rank_agreement(opposite)["spearman"] == pytest.approx(-1)
    assert rank_agreement(opposite)["row-wise pearson"] == pytest.approx(-1)


def test_one_model_has_no_ranking() -> None:
    table = scored(battle("1", "x", "x", 1.0), battle("2", "x", "x", 1.0))
    assert np.isnan(value(ppe.run(table, OPTIONS).scores, ppe.HUMAN, "spearman"))


def test_where_the_rating_starts_does_not_matter() -> None:
    rng = np.random.default_rng(11)
    battles = random_battles(rng, 500, 5)
    wins = wins_matrix(battles, battles.people, np.ones(500))
    far = strengths(wins, np.array([100.0, 1, 1, 1e-3, 1]))
    assert far == pytest.approx(strengths(wins), abs=1e-5)
