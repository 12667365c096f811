"""The walk along an order against hand-worked numbers and a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import TableError
from core.labs.task_order.transfer import (
    Departure,
    Draws,
    Transfer,
    as_draws,
    noisy_draws,
    predicted_finals,
    predicted_path,
    walk,
)
from tests.core.labs.task_order.planted import BEFORE, EFFECTS, SATURATED, TASKS, by_hand, example


@pytest.mark.parametrize(
    ("order", "finals", "mean"),
    [
        ((0, 1, 2), (0.68, 0.53, 0.75), 0.6533),
        ((1, 0, 2), (0.64, 0.55, 0.75), 0.6467),
        ((2, 0, 1), (0.74, 0.55, 0.71), 0.6667),
        ((1, 2, 0), (0.70, 0.55, 0.72), 0.6567),
    ],
)
def test_finals_of_the_worked_example(order, finals, mean):
    found = predicted_finals(example(), np.array([order]))[0]
    np.testing.assert_allclose(found, finals, atol=1e-12)
    assert found.mean() == pytest.approx(mean, abs=5e-5)


def test_mean_effects_of_the_worked_example():
    np.testing.assert_allclose(example().outgoing(), [-0.005, 0.015, -0.04], atol=1e-12)
    np.testing.assert_allclose(example().incoming(), [-0.01, 0.0, -0.02], atol=1e-12)


def random_transfer(rng: np.random.Generator, k: int) -> Transfer:
    return Transfer(
        tuple(f"t{at}" for at in range(k)),
        rng.uniform(0.3, 0.5, k),
        rng.uniform(0.5, 0.8, k),
        rng.normal(0, 0.05, (k, k)),
        None,
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000), st.floats(0, 1))
def test_every_path_equals_a_plain_loop(k: int, seed: int, saturation: float):
    rng = np.random.default_rng(seed)
    transfer = random_transfer(rng, k)
    order = tuple(int(at) for at in rng.permutation(k))
    path, clipped = predicted_path(transfer, order, Departure(saturation=saturation))
    np.testing.assert_allclose(path, by_hand(transfer, order, saturation), atol=1e-12)
    assert not clipped


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_a_task_ends_at_its_level_plus_the_effects_of_later_tasks(k: int, seed: int):
    rng = np.random.default_rng(seed)
    transfer = random_transfer(rng, k)
    order = [int(at) for at in rng.permutation(k)]
    finals = predicted_finals(transfer, np.array([order]))[0]
    for place, i in enumerate(order):
        later = sum(transfer.effects[j, i] for j in order[place + 1 :])
        assert finals[i] == pytest.approx(transfer.saturated[i] + later)


def test_many_draws_walk_as_one_after_the_other():
    rng = np.random.default_rng(3)
    orders = np.array([[0, 1, 2], [2, 1, 0]])
    several = [random_transfer(rng, 3) for _ in range(5)]
    draws = Draws(*(np.stack([getattr(t, name) for t in several]) for name in (
        "before", "saturated", "effects"
    )))  # fmt: skip
    departure = Departure(0.5, "level", 0.7)
    together = walk(draws, orders, None, departure).scores
    for at, transfer in enumerate(several):
        one = walk(as_draws(transfer), orders, None, departure).scores[0]
        np.testing.assert_allclose(together[at], one, atol=1e-12)


def test_effects_grow_by_stage_where_the_first_assumption_is_broken():
    path, _ = predicted_path(example(), (0, 1, 2), Departure(interaction=1.0))
    # Factors 1, 1.5 and 2: b at stage 2 gives a 0.04 · 1.5, c at stage 3 takes 0.06 · 2.
    np.testing.assert_allclose(path[1], [0.70, 0.42, 0.57], atol=1e-12)
    np.testing.assert_allclose(path[2], [0.76, 0.55, 0.555], atol=1e-12)
    np.testing.assert_allclose(path[3], [0.64, 0.51, 0.75], atol=1e-12)


def test_effects_vanish_on_learnt_tasks_where_the_level_protects_them():
    departure = Departure(interaction=-1.0, depends_on="level")
    finals = predicted_finals(example(), np.array([[0, 1, 2], [2, 1, 0]]), departure)
    np.testing.assert_allclose(finals, [SATURATED, SATURATED], atol=1e-12)


def test_partial_saturation_leaves_part_of_the_distance():
    path, _ = predicted_path(example(), (0, 1, 2), Departure(saturation=0.5))
    assert path[1][0] == pytest.approx(0.60)  # half of the way from .50 to .70
    nothing, _ = predicted_path(example(), (0, 1, 2), Departure(saturation=0.0))
    np.testing.assert_allclose(nothing[-1], BEFORE + EFFECTS.sum(axis=0), atol=1e-12)


def test_scores_beyond_the_range_are_clipped_and_flagged():
    effects = np.array([[0.0, 0.3], [0.4, 0.0]])
    transfer = Transfer(("x", "y"), np.array([0.5, 0.5]), np.array([0.9, 0.8]), effects)
    path, clipped = predicted_path(transfer, (0, 1))
    assert clipped
    np.testing.assert_allclose(path[-1], [1.0, 0.8])
    raw, still = predicted_path(transfer, (0, 1), Departure(clip=False))
    assert still
    np.testing.assert_allclose(raw[-1], [1.3, 0.8])
    free = Transfer(("x", "y"), np.array([0.5, 0.5]), np.array([0.9, 0.8]), effects, None)
    assert not predicted_path(free, (0, 1))[1]


def test_missing_numbers_are_named():
    effects = EFFECTS.copy()
    effects[0, 2] = np.nan
    with pytest.raises(TableError, match="effect of a on c"):
        Transfer(TASKS, BEFORE, SATURATED, effects)
    with pytest.raises(TableError, match="before of b"):
        Transfer(TASKS, np.array([0.5, np.nan, 0.6]), SATURATED, EFFECTS)
    np.fill_diagonal(effects, np.nan)
    effects[0, 2] = 0.0
    Transfer(TASKS, BEFORE, SATURATED, effects)  # the diagonal is not used


def test_shapes_and_names_are_checked():
    with pytest.raises(TableError, match="shapes"):
        Transfer(("a", "b"), BEFORE, SATURATED, EFFECTS)
    with pytest.raises(TableError, match="differ"):
        Transfer(("a", "a", "c"), BEFORE, SATURATED, EFFECTS)
    with pytest.raises(TableError, match="each task once"):
        example().indices(["a", "b"])
    assert example().indices(["c", "a", "b"]) == (2, 0, 1)


def test_one_task_has_no_effects():
    transfer = Transfer(("x",), np.array([0.2]), np.array([0.6]), np.zeros((1, 1)))
    assert np.isnan(transfer.outgoing()).all()
    assert predicted_finals(transfer, np.array([[0]]))[0, 0] == pytest.approx(0.6)


def test_noise_has_the_size_that_was_typed_in():
    draws = noisy_draws(example(), 0.02, 4_000, np.random.default_rng(0))
    assert draws.effects.std(axis=0).mean() == pytest.approx(0.02, rel=0.05)
    np.testing.assert_allclose(draws.saturated.mean(axis=0), SATURATED, atol=0.002)
    assert (draws.before == BEFORE).all()
    with pytest.raises(ValueError, match="0 or more"):
        noisy_draws(example(), -1.0, 2, np.random.default_rng(0))


def test_departures_are_checked():
    with pytest.raises(ValueError, match="between 0 and 1"):
        Departure(saturation=1.5)
    with pytest.raises(ValueError, match="stage, level"):
        Departure(depends_on="moon")  # type: ignore[arg-type]
