"""The linear head: its gradient, its plain limit, and that the penalty does what it should."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from core.labs.invariance.discrepancy import mmd_matrix
from core.labs.invariance.frontier import FrontierOptions, frontier
from core.labs.invariance.linear_head import (
    HeadError,
    HeadOptions,
    Objective,
    PairFeatures,
    bin_numbers,
    response_groups,
    train,
)
from core.labs.invariance.synthetic_bias import inject_feature_bias


def quality_pairs(n: int, d: int, seed: int, quality: float = 1.2) -> PairFeatures:
    """The first feature is what people prefer; two pairs a prompt; one bin."""
    rng = np.random.default_rng(seed)
    chosen, rejected = rng.normal(size=(2, n, d))
    chosen[:, 0] += quality
    bins = np.zeros(n, dtype=np.int64)
    return PairFeatures(chosen, rejected, bins, bins, [at // 2 for at in range(n)])


def biased_pairs(n: int, d: int, seed: int) -> PairFeatures:
    """The second feature is an attribute at .8 and .2, worth three standard deviations."""
    pairs = quality_pairs(n, d, seed)
    return inject_feature_bias(pairs, 3.0 * np.eye(d)[1], rng=np.random.default_rng(seed))


def objective(pairs: PairFeatures, options: HeadOptions) -> Objective:
    features = np.concatenate([pairs.chosen, pairs.rejected])
    return Objective(features, *response_groups(pairs, options.penalty), options)


@pytest.mark.parametrize("penalty", ["none", "unconditional", "conditional"])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_that_of_the_loss(penalty, seed: int) -> None:
    options = HeadOptions(penalty=penalty, coefficient=2.0, bandwidth=0.7)
    loss = objective(biased_pairs(25, 4, seed), options)
    weights = np.random.default_rng(seed).normal(size=4)
    error = check_grad(lambda w: loss(w)[0], lambda w: loss(w)[1], weights)
    assert error < 1e-5


@pytest.mark.parametrize("penalty", ["unconditional", "conditional"])
def test_penalty_is_the_sum_of_biased_squared_mmds_of_standardised_rewards(penalty) -> None:
    rng = np.random.default_rng(0)
    pairs = replace(
        quality_pairs(30, 3, 0),
        chosen_bins=rng.integers(0, 3, size=30),
        rejected_bins=rng.integers(0, 3, size=30),
    )
    options = HeadOptions(penalty=penalty, bandwidth=0.8)
    rewards = rng.normal(size=60)
    found, _ = objective(pairs, options).penalty(rewards)
    standard = (rewards - rewards.mean()) / rewards.std()
    bins = np.concatenate([pairs.chosen_bins, pairs.rejected_bins])
    parts = [slice(0, 60)] if penalty == "unconditional" else [slice(0, 30), slice(30, 60)]
    expected = sum(np.triu(mmd_matrix(standard[part], bins[part], 0.8)).sum() for part in parts)
    assert found == pytest.approx(expected, abs=1e-7)


def test_penalty_does_not_change_when_rewards_are_stretched_or_shifted() -> None:
    loss = objective(biased_pairs(25, 4, 0), HeadOptions())
    rewards = np.random.default_rng(1).normal(size=50)
    plain, _ = loss.penalty(rewards)
    assert loss.penalty(5 * rewards + 3)[0] == pytest.approx(plain)


def test_plain_head_is_the_logistic_regression_on_differences() -> None:
    pairs = quality_pairs(200, 3, 0)
    head = train(pairs, HeadOptions(penalty="none", decay=0.02))
    differences = (pairs.chosen - pairs.rejected) / head.scale
    both = np.concatenate([differences, -differences])
    labels = np.repeat([1, 0], 200)
    # scikit-learn sums the loss over its 400 rows; ours is the mean over 200.
    reference = LogisticRegression(C=1 / (0.02 * 400), fit_intercept=False, tol=1e-10)
    np.testing.assert_allclose(head.weights, reference.fit(both, labels).coef_[0], atol=1e-3)
    assert head.converged


def test_rewards_are_reproduced_from_raw_features() -> None:
    pairs = quality_pairs(50, 3, 0)
    shifted = replace(pairs, chosen=pairs.chosen * 100 + 7, rejected=pairs.rejected * 100 + 7)
    plain, stretched = (train(data, HeadOptions(penalty="none")) for data in (pairs, shifted))
    np.testing.assert_allclose(
        plain.rewards(pairs.chosen), stretched.rewards(shifted.chosen), atol=1e-4
    )


def test_plain_head_picks_the_bias_up_and_the_invariant_one_refuses_it() -> None:
    pairs = biased_pairs(600, 8, 0)
    attribute = 3.0 * np.eye(8)[1]

    def worth(head) -> float:
        """What adding the attribute to a response adds to its reward, in spreads."""
        return float((attribute / head.scale) @ head.weights) / head.reward_spread

    plain = train(pairs, HeadOptions(penalty="none"))
    invariant = train(pairs, HeadOptions(penalty="conditional", coefficient=10.0))
    assert worth(plain) > 0.8
    assert abs(worth(invariant)) < worth(plain) / 3
    fair = quality_pairs(2_000, 8, 9)
    for head, limit in ((plain, 0.9), (invariant, 1.0)):
        margins = head.rewards(fair.chosen) - head.rewards(fair.rejected)
        assert 0.7 < (margins > 0).mean() <= limit
    reversed_bias = inject_feature_bias(
        fair, attribute, p_chosen=0.2, p_rejected=0.8, rng=np.random.default_rng(1)
    )
    accuracy = [
        (head.rewards(reversed_bias.chosen) > head.rewards(reversed_bias.rejected)).mean()
        for head in (plain, invariant)
    ]
    assert accuracy[1] > accuracy[0] + 0.15


def test_where_the_attribute_is_independent_the_penalty_costs_nothing() -> None:
    pairs = inject_feature_bias(
        quality_pairs(400, 6, 0), 3.0 * np.eye(6)[1],
        p_chosen=0.5, p_rejected=0.5, rng=np.random.default_rng(0),
    )  # fmt: skip
    plain, invariant = (
        train(pairs, HeadOptions(penalty=penalty)) for penalty in ("none", "conditional")
    )
    fair = quality_pairs(1_000, 6, 1)
    accuracy = [
        (head.rewards(fair.chosen) > head.rewards(fair.rejected)).mean()
        for head in (plain, invariant)
    ]
    assert accuracy[1] > accuracy[0] - 0.02


def test_more_features_than_responses_give_the_same_head_as_the_span_of_the_features() -> None:
    pairs = biased_pairs(15, 60, 0)
    options = HeadOptions(penalty="none", decay=0.1)
    head = train(pairs, options)
    padded = replace(
        pairs,
        chosen=np.pad(pairs.chosen, ((0, 0), (0, 5))),
        rejected=np.pad(pairs.rejected, ((0, 0), (0, 5))),
    )
    np.testing.assert_allclose(train(padded, options).weights[:60], head.weights, atol=1e-4)
    raw = np.concatenate([pairs.chosen, pairs.rejected])
    full = Objective((raw - head.centre) / head.scale, *response_groups(pairs, "none"), options)
    assert np.abs(full(head.weights)[1]).max() < 1e-4


def test_principal_components_keep_the_directions_that_vary() -> None:
    pairs = quality_pairs(100, 5, 0)
    wide = replace(
        pairs,
        chosen=pairs.chosen[:, [0, 0, 0, 1, 2]],
        rejected=pairs.rejected[:, [0, 0, 0, 1, 2]],
    )
    head = train(wide, HeadOptions(penalty="none", n_components=1))
    assert np.ptp(head.weights[:3]) < 1e-3
    assert np.abs(head.weights[3:]).max() < 0.5 * head.weights[0]


def test_the_same_input_gives_the_same_head() -> None:
    pairs = biased_pairs(60, 4, 0)
    np.testing.assert_array_equal(train(pairs).weights, train(pairs).weights)


def test_groups_of_one_and_responses_without_a_bin_are_not_compared() -> None:
    pairs = replace(
        quality_pairs(6, 2, 0),
        chosen_bins=np.array([0, 0, 1, 1, 2, -1]),
        rejected_bins=np.array([0, 0, 0, 0, 0, 0]),
    )
    groups, families = response_groups(pairs, "conditional")
    assert groups.tolist() == [0, 0, 1, 1, -1, -1] + [-1] * 6
    assert families.tolist() == [0, 0]
    groups, families = response_groups(pairs, "unconditional")
    assert groups.tolist() == [0, 0, 1, 1, -1, -1] + [0] * 6


def test_pairs_with_broken_features_are_left_out_and_counted() -> None:
    pairs = biased_pairs(40, 3, 0)
    pairs.chosen[0, 0] = np.nan
    pairs.rejected[1, 2] = np.inf
    head = train(pairs)
    assert head.n_pairs == 38
    assert head.left_out == {"a feature is not a finite number": 2}


def test_a_feature_that_never_varies_gets_no_weight() -> None:
    pairs = biased_pairs(40, 3, 0)
    pairs.chosen[:, 2] = pairs.rejected[:, 2] = 1e6
    assert train(pairs).weights[2] == pytest.approx(0.0, abs=1e-9)


def test_what_cannot_be_trained_is_said() -> None:
    pairs = quality_pairs(10, 3, 0)
    with pytest.raises(HeadError, match="No two bins"):
        train(pairs)
    with pytest.raises(HeadError, match="Out of range"):
        train(pairs, HeadOptions(decay=0.0))
    with pytest.raises(HeadError, match="principal components"):
        train(pairs, HeadOptions(n_components=0))
    with pytest.raises(HeadError, match="finite features"):
        train(replace(pairs, chosen=pairs.chosen * np.nan))
    with pytest.raises(HeadError, match="shapes"):
        replace(pairs, chosen=pairs.chosen[:, :2])
    with pytest.raises(HeadError, match="prompts"):
        replace(pairs, prompt_ids=["p"])


def test_bins_of_any_labels() -> None:
    assert bin_numbers(["b", None, "a", "b"]).tolist() == [0, -1, 1, 0]


def test_frontier_trades_accuracy_for_invariance_on_unseen_prompts() -> None:
    pairs = biased_pairs(300, 6, 1)
    options = FrontierOptions((0.0, 1.0, 10.0), n_permutations=199, n_folds=3)
    result = frontier(pairs, options)
    points = result.points.set_index("coefficient")
    assert points.loc[0.0, "p_value"] < 0.01
    assert points.loc[10.0, "mmd"] < points.loc[0.0, "mmd"] / 2
    assert points.loc[10.0, "mmd_high"] < points.loc[0.0, "mmd"]
    # The plain head wins where the attribute helps and loses where it misleads.
    assert points.loc[0.0, "against_attribute"] < points.loc[10.0, "against_attribute"]
    assert points.loc[0.0, "with_attribute"] > points.loc[10.0, "with_attribute"]
    assert (points["accuracy_low"] < points["accuracy"]).all()
    assert (points["n_pairs"] == 300).all()
    assert (points["n_prompts"] == 150).all()
    assert set(result.heads) == {0.0, 1.0, 10.0}


def test_frontier_holds_whole_prompts_out() -> None:
    result = frontier(
        biased_pairs(40, 3, 0), FrontierOptions((0.0, 1.0), n_folds=4, n_permutations=20)
    )
    folds = result.held_out.groupby("prompt_id")["fold"].nunique()
    assert (folds == 1).all()
    assert result.held_out["fold"].nunique() == 4
    assert result.held_out["reward at 1"].notna().all()


def test_frontier_measures_what_a_head_of_the_other_prompts_gives() -> None:
    pairs = biased_pairs(40, 3, 0)
    result = frontier(pairs, FrontierOptions((0.0,), n_folds=4, n_permutations=20))
    own = (result.held_out["fold"] == 2).to_numpy()[:40]
    head = train(pairs.take(~own), HeadOptions(coefficient=0.0))
    expected = head.rewards(pairs.chosen[own]) / head.reward_spread
    chosen = result.held_out[result.held_out["side"] == "chosen"]
    np.testing.assert_allclose(chosen["reward at 0"].to_numpy()[own], expected)


def test_frontier_of_noise_has_no_accuracy_and_no_mmd() -> None:
    rng = np.random.default_rng(5)
    pairs = replace(
        quality_pairs(100, 4, 5, quality=0.0),
        chosen_bins=rng.integers(0, 2, size=100),
        rejected_bins=rng.integers(0, 2, size=100),
    )
    point = frontier(pairs, FrontierOptions((0.0,), n_permutations=199)).points.iloc[0]
    assert point["accuracy_low"] < 0.5 < point["accuracy_high"]
    assert point["p_value"] > 0.05


def test_frontier_needs_a_prompt_for_each_fold() -> None:
    with pytest.raises(HeadError, match="5 folds of 2 prompts"):
        frontier(biased_pairs(4, 3, 0))
