"""Training weights: small prompt-free gaps weigh most, the mean weight is 1."""

import numpy as np
import pytest

from core.labs.prompt_awareness import decomposition, training_weights
from core.labs.prompt_awareness.training_weights import exponential_weights, rank_weights
from tests.core.labs.prompt_awareness.test_decomposition import result_of


def test_exponential_weights_follow_the_formula() -> None:
    raw = np.exp(-np.array([0.0, 1.0, 2.0]) / 0.5)
    assert exponential_weights([0.0, -1.0, 2.0], 0.5) == pytest.approx(raw / raw.mean())


def test_large_gaps_do_not_make_all_weights_vanish() -> None:
    weights = exponential_weights([1e6, 1e6 + 1], 1.0)
    assert weights.mean() == pytest.approx(1)
    assert weights[0] / weights[1] == pytest.approx(np.e)


def test_rank_weights_fall_evenly_and_ties_share() -> None:
    assert rank_weights([0.1, -5.0, 2.0]) == pytest.approx([1.5, 0.5, 1.0])
    assert rank_weights([1.0, -1.0]) == pytest.approx([1.0, 1.0])
    assert rank_weights(np.random.default_rng(0).normal(size=9)).mean() == pytest.approx(1)


def test_weights_come_from_the_chosen_estimator() -> None:
    parts = decomposition.run(result_of({"a": [3, 1, 1, 4], "b": [1, 0.2], "c": [1, float("nan")]}))
    found = training_weights.run(parts, estimator="zero-information", tau=1.0)
    assert found.table["prompt_free"].to_numpy() == pytest.approx([1.8394, 0.2], abs=5e-5)
    assert found.table["weight"].to_numpy() == pytest.approx(
        exponential_weights([1.8394, 0.2], 1.0), abs=5e-5
    )
    assert found.left_out["no usable other prompt"] == 1
    assert 1 < found.effective_sample_size < 2


def test_scale_is_the_median_size_where_none_is_given() -> None:
    parts = decomposition.run(result_of({"a": [1, 2.0], "b": [1, -4.0], "c": [1, 6.0]}))
    assert training_weights.run(parts).tau == 4
    zero = decomposition.run(result_of({"a": [1, 0.0], "b": [1, 0.0]}))
    assert training_weights.run(zero).table["weight"].tolist() == [1, 1]
    assert np.isnan(training_weights.run(parts, form="rank").tau)


def test_wrong_choices_are_refused_and_nothing_gives_nothing() -> None:
    with pytest.raises(ValueError, match="tau must be above 0"):
        exponential_weights([1.0], 0)
    parts = decomposition.run(result_of({"a": [1, 2.0]}))
    with pytest.raises(ValueError, match="Unknown form"):
        training_weights.run(parts, form="cubic")  # type: ignore[arg-type]
    assert exponential_weights([], 1.0).size == 0
    assert rank_weights([]).size == 0
