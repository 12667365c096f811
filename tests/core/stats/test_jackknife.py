"""The jackknife interval of a coefficient: the formula written out, and where there is none."""

import numpy as np
import pytest
from scipy import stats

from core.stats import jackknife_correlation


def test_interval_is_symmetric_on_fishers_scale_with_the_textbook_error():
    without = np.array([0.5, 0.6, 0.55, 0.4])
    found = jackknife_correlation(0.52, without, n=9, left_out={"failed": 1})
    error = np.sqrt(3 / 4 * np.sum((without - without.mean()) ** 2))
    reach = stats.t.ppf(0.975, 3) * error / (1 - 0.52**2)
    assert np.arctanh(found.high) - np.arctanh(0.52) == pytest.approx(reach)
    assert np.arctanh(0.52) - np.arctanh(found.low) == pytest.approx(reach)
    assert (found.n, found.n_prompts, found.left_out) == (9, 4, {"failed": 1})


def test_interval_stays_between_minus_one_and_one():
    found = jackknife_correlation(0.9, np.array([0.95, -0.2, 0.9]), n=3)
    assert -1 <= found.low < 0.9 < found.high <= 1


def test_coefficients_that_do_not_exist_are_counted():
    found = jackknife_correlation(0.5, np.array([0.4, np.nan, 0.6]), n=3)
    assert "1 of 3 without a value" in found.method
    assert np.isfinite([found.low, found.high]).all()


@pytest.mark.parametrize(
    ("value", "without"), [(0.5, []), (0.5, [0.4]), (np.nan, [0.4, 0.5]), (0.5, [np.nan, 0.5])]
)
def test_no_interval_where_too_little_can_be_left_out(value, without):
    found = jackknife_correlation(value, np.array(without), n=len(without))
    assert np.isnan([found.low, found.high]).all()
    assert found.method.startswith("no interval")


def test_perfect_agreement_says_that_it_has_no_width():
    found = jackknife_correlation(1.0, np.ones(5), n=5)
    assert (found.low, found.high) == (1.0, 1.0)
    assert "no width" in found.method
