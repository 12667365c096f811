"""The two-way split: hand-checked vector, least squares as oracle, intervals that hold."""

import math

import numpy as np
import pandas as pd
import pytest

from core.labs.prompt_awareness.variance import (
    complete_prompts,
    share_difference,
    two_way_split,
    variance_shares,
)

VECTOR = np.array([[5.0, 1.0, 2.0], [4.0, 3.0, 1.0], [3.0, 2.0, 4.0]])


def labelled(values: np.ndarray) -> pd.DataFrame:
    """A matrix with as many responses for each prompt."""
    n_prompts, n_responses = values.shape
    owners = [f"p{at * n_prompts // n_responses}" for at in range(n_responses)]
    columns = pd.MultiIndex.from_tuples([(o, f"r{at}") for at, o in enumerate(owners)])
    return pd.DataFrame(values, index=[f"p{at}" for at in range(n_prompts)], columns=columns)


def test_published_vector() -> None:
    split = two_way_split(VECTOR)
    assert split.prompt == pytest.approx(0.0143, abs=5e-5)
    assert split.response == pytest.approx(0.4429, abs=5e-5)
    assert split.interaction == pytest.approx(0.5429, abs=5e-5)
    assert split.total == pytest.approx(15.5556, abs=5e-5)
    assert split.interaction_sd == pytest.approx(math.sqrt(0.5428571 * 15.5555556 / 9))


def test_split_equals_least_squares_on_random_matrices() -> None:
    rng = np.random.default_rng(0)
    for shape in ((3, 4), (5, 2), (6, 6)):
        matrix = rng.normal(size=shape) + rng.normal(size=(shape[0], 1))
        split = two_way_split(matrix)
        rows, columns = np.indices(shape)
        dummies = [rows.ravel() == at for at in range(shape[0])]
        with_columns = [*dummies, *(columns.ravel() == at for at in range(shape[1]))]
        residual = [_residual_ss(matrix, design) for design in (dummies, with_columns)]
        total = ((matrix - matrix.mean()) ** 2).sum()
        assert split.prompt == pytest.approx((total - residual[0]) / total)
        assert split.interaction == pytest.approx(residual[1] / total)
        assert split.prompt + split.response + split.interaction == pytest.approx(1)


def _residual_ss(matrix: np.ndarray, design: list[np.ndarray]) -> float:
    x, y = np.array(design, dtype=float).T, matrix.ravel()
    return float(((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2).sum())


def test_equal_rewards_have_no_shares() -> None:
    split = two_way_split(np.full((4, 4), 0.1))
    assert split.total == 0
    assert math.isnan(split.interaction)
    found = variance_shares(labelled(np.full((4, 4), 0.1)))
    assert math.isnan(found.interaction.estimate.low)


@pytest.mark.parametrize("bad", [[1.0, 2.0], [[]], [[1.0, math.nan]]])
def test_a_matrix_with_holes_is_refused(bad: list[object]) -> None:
    with pytest.raises(ValueError, match="finite number"):
        two_way_split(bad)


def test_a_prompt_leaves_with_its_row_and_its_responses() -> None:
    matrix = np.ones((3, 3))
    matrix[1, 2] = np.nan
    matrix[0, 1] = np.nan
    # p1 takes part in both holes: as the row of one and the owner of the other's column.
    assert complete_prompts(matrix, ["p0", "p1", "p2"], ["p0", "p1", "p2"]) == ["p0", "p2"]
    assert complete_prompts(np.ones((3, 3)), ["p0", "p1", "p2"], ["p0", "p1", "p2"]) == [
        "p0", "p1", "p2",
    ]  # fmt: skip


def test_missing_cells_are_reported_and_the_rest_is_split_exactly() -> None:
    matrix = np.random.default_rng(1).normal(size=(6, 6))
    holed = matrix.copy()
    holed[2, 4] = holed[2, 5] = np.nan
    found = variance_shares(labelled(holed))
    kept = [0, 1, 3, 4, 5]
    expected = two_way_split(matrix[np.ix_(kept, kept)])
    assert found.split.interaction == pytest.approx(expected.interaction)
    assert found.split.total == pytest.approx(expected.total)
    assert found.left_out == {"prompts with missing cells": 1}
    assert found.interaction.estimate.n_prompts == 5


def test_all_cells_missing_gives_no_number_and_no_error() -> None:
    found = variance_shares(labelled(np.full((4, 4), np.nan)))
    assert math.isnan(found.interaction.estimate.value)
    assert found.left_out == {"prompts with missing cells": 4}


def test_interval_stays_within_zero_and_one_and_needs_three_prompts() -> None:
    rng = np.random.default_rng(2)
    found = variance_shares(labelled(rng.normal(size=(4, 4)) * 0.01 + np.arange(4))).interaction
    assert 0 < found.estimate.low < found.estimate.value < found.estimate.high < 1
    assert math.isnan(variance_shares(labelled(VECTOR[:2, :2])).interaction.estimate.low)


def test_interval_holds_the_truth_where_prompts_prefer_their_own_response() -> None:
    # The case in which a joint bootstrap of prompts holds it less than half of the time.
    rng = np.random.default_rng(3)

    def drawn() -> pd.DataFrame:
        n = 20
        matrix = rng.normal(0, 0.5, (n, 1)) + rng.normal(0, 1, n) + rng.normal(0, 0.1, (n, n))
        matrix += np.diag(2 + rng.normal(size=n))
        return labelled(matrix)

    truth = np.mean([two_way_split(drawn().to_numpy()).interaction for _ in range(1000)])
    held = 0
    for _ in range(120):
        estimate = variance_shares(drawn()).interaction.estimate
        held += estimate.low <= truth <= estimate.high
    assert held >= 106  # Binomial(120, 0.95) is below that with probability 0.001


def test_difference_of_a_model_with_itself_is_nothing() -> None:
    matrix = labelled(np.random.default_rng(4).normal(size=(6, 12)))
    found = share_difference(matrix, matrix).estimate
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_difference_is_paired_over_the_cells_that_both_have() -> None:
    rng = np.random.default_rng(5)
    main = rng.normal(0, 1, (12, 1)) + rng.normal(0, 1, 12)
    both = rng.normal(0, 0.3, (12, 12))
    blind, aware = main + both, main + both + np.eye(12) * 4
    aware[3, 5] = np.nan
    found = share_difference(labelled(blind), labelled(aware))
    assert found.estimate.low > 0
    assert found.estimate.n_prompts == 11
    kept = np.delete(np.arange(12), 3)
    shares = [two_way_split(m[np.ix_(kept, kept)]).interaction for m in (blind, aware)]
    assert found.estimate.value == pytest.approx(shares[1] - shares[0])
