"""Labels go only where the null hypothesis lets them, and everywhere it does equally often."""

import numpy as np

from core.labs.invariance.exchange import arrangements, choose_exchange

PROMPTS = np.repeat(np.arange(12), 2)
ONE = np.zeros(24, dtype=np.int64)
SIDES = np.tile([0, 1], 12)


def drawn(exchange, n: int = 4_000, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(arrangements(exchange, n, np.random.default_rng(seed))))


def test_mixed_prompts_are_exchanged_within() -> None:
    exchange = choose_exchange(np.tile([0, 1], 12), PROMPTS, ONE)
    assert (exchange.scheme, exchange.n_moving, exchange.n_still) == ("within prompt", 12, 0)


def test_prompts_of_one_label_are_exchanged_between() -> None:
    exchange = choose_exchange(np.repeat([0, 1], 12), PROMPTS, ONE)
    assert (exchange.scheme, exchange.n_moving) == ("between prompts", 12)


def test_within_prompts_labels_never_leave_their_prompt_and_take_each_place_equally() -> None:
    labels = np.tile([0, 1], 12)
    taken = drawn(choose_exchange(labels, PROMPTS, ONE, "within prompt"))
    assert (PROMPTS[taken] == PROMPTS).all()
    np.testing.assert_array_equal(np.sort(taken, axis=1), np.tile(np.arange(24), (4_000, 1)))
    assert abs((taken[:, 0] == 0).mean() - 0.5) < 0.03


def test_between_prompts_with_sides_whole_blocks_move_and_keep_their_side() -> None:
    exchange = choose_exchange(ONE, PROMPTS, SIDES, "between prompts")
    taken = drawn(exchange)
    assert (SIDES[taken] == SIDES).all()
    sources = PROMPTS[taken].reshape(-1, 12, 2)
    assert (sources[:, :, 0] == sources[:, :, 1]).all()
    assert abs((sources[:, 0, 0] == 3).mean() - 1 / 12) < 0.02


def test_between_prompts_without_sides_labels_are_also_shuffled_within_the_block() -> None:
    taken = drawn(choose_exchange(ONE, PROMPTS, ONE, "between prompts"))
    sources = PROMPTS[taken].reshape(-1, 12, 2)
    assert (sources[:, :, 0] == sources[:, :, 1]).all()
    assert abs((taken[:, 0] % 2).mean() - 0.5) < 0.03


def test_a_prompt_without_another_of_its_size_cannot_move() -> None:
    prompts = np.array([0, 0, 1, 1, 2, 2, 2])
    conditions = np.zeros(7, dtype=np.int64)
    exchange = choose_exchange(conditions, prompts, conditions, "between prompts")
    assert (exchange.n_moving, exchange.n_still) == (2, 1)
    taken = drawn(exchange, 200)
    assert (prompts[taken[:, 4:]] == 2).all()
