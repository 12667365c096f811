"""Gao's forms: vectors, exact recovery of what was put in, and fits that say they know nothing."""

import math

import numpy as np
import pytest
from scipy import optimize

from core.labs.best_of_n import fit_overoptimisation, kl_of_best_of_n, n_of_kl, peak
from core.labs.best_of_n.overoptimisation import BEYOND, FALLS, NO_CHECK, NO_TURN, TOO_FEW, Form


def test_kl_vector() -> None:
    expected = [0, 0.193147, 0.636294, 1.835089, 3.174508]
    assert kl_of_best_of_n([1, 2, 4, 16, 64]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n", [1, 1.5, 2, 17, 1e6])
def test_n_of_kl_is_the_inverse(n: float) -> None:
    assert n_of_kl(float(kl_of_best_of_n(n))) == pytest.approx(n)


def test_a_negative_kl_is_refused() -> None:
    with pytest.raises(ValueError, match="not possible"):
        n_of_kl(-0.1)


@pytest.mark.parametrize(
    ("alpha", "beta", "form", "expected"),
    [
        (1.0, 0.2, "best-of-n", (2.5, 1.25)),
        (1.0, 0.5, "rl", (math.e, 1.359141)),
    ],
)
def test_peak_vectors(alpha: float, beta: float, form: Form, expected: tuple[float, float]) -> None:
    assert peak(alpha, beta, form) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("form", ["best-of-n", "rl"])
def test_the_peak_is_where_a_search_finds_it(form: Form) -> None:
    distances = np.array([0.5, 1.0, 2.0])
    for alpha, beta in ((1.0, 0.3), (0.4, 0.9)):
        gains = {
            "best-of-n": distances * (alpha - beta * distances),
            "rl": distances * (alpha - beta * np.log(distances)),
        }[form]
        fit = fit_overoptimisation(distances, gains, form)
        found = optimize.minimize_scalar(
            lambda d, fit=fit: -float(fit.gain([d])[0]), bounds=(1e-6, 50), method="bounded"
        )
        assert fit.peak_distance == pytest.approx(found.x, rel=1e-3)
        assert fit.peak_gain == pytest.approx(-found.fun, rel=1e-6)


@pytest.mark.parametrize("form", ["best-of-n", "rl"])
def test_points_of_the_form_give_their_parameters_back(form: Form) -> None:
    d = np.array([0.0, 0.3, 0.9, 1.7, 3.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = d if form == "best-of-n" else np.where(d > 0, np.log(d), 0.0)
    fit = fit_overoptimisation(d, d * (0.6 - 0.4 * bend), form)
    assert (fit.alpha, fit.beta) == pytest.approx((0.6, 0.4))
    assert fit.rmse == pytest.approx(0, abs=1e-12)
    assert fit.n_points == 4
    assert fit.problem == ""


def test_least_squares_with_noise_matches_a_numerical_minimum() -> None:
    rng = np.random.default_rng(0)
    d = np.linspace(0.2, 3, 12)
    y = d * (1 - 0.3 * d) + rng.normal(scale=0.05, size=12)
    fit = fit_overoptimisation(d, y)
    found = optimize.minimize(lambda p: ((d * (p[0] - p[1] * d) - y) ** 2).sum(), x0=[0, 0])
    assert (fit.alpha, fit.beta) == pytest.approx(tuple(found.x), abs=1e-4)


@pytest.mark.parametrize(
    ("distances", "gains", "problem"),
    [
        ([], [], TOO_FEW),
        ([0, 0], [0, 0], TOO_FEW),
        ([0, 1], [0, 1], TOO_FEW),
        ([1, 1, 1], [1, 2, 3], TOO_FEW),
        ([1, 2], [0.8, 1.2], NO_CHECK),
        ([1, 2, 3], [1, 2, 3], NO_TURN),
        ([1, 2, 3], [1, 3, 6], NO_TURN),
        ([1, 2, 3], [-1, -3, -6], FALLS),
    ],
)
def test_says_why_it_cannot_be_trusted(
    distances: list[float], gains: list[float], problem: str
) -> None:
    fit = fit_overoptimisation(distances, np.array(gains, dtype=float))
    assert fit.problem == problem
    assert np.isfinite(fit.alpha) == (problem != TOO_FEW)


def test_a_peak_beyond_the_data_is_called_extrapolated() -> None:
    d = np.array([0.1, 0.2, 0.4])
    far = fit_overoptimisation(d, d * (1 - 0.2 * d))
    assert (far.extrapolated, far.problem) == (True, BEYOND)
    d = np.array([1.0, 2.0, 4.0])
    near = fit_overoptimisation(d, d * (1 - 0.2 * d))
    assert (near.extrapolated, near.problem) == (False, "")


@pytest.mark.parametrize(
    ("distances", "gains"),
    [([1, 2], [1]), ([-1, 2], [1, 2]), ([1, np.nan], [1, 2]), ([1, 2], [1, np.inf])],
)
def test_refuses_points_that_are_none(distances: list[float], gains: list[float]) -> None:
    with pytest.raises(ValueError, match=r"distances|gains"):
        fit_overoptimisation(distances, gains)
