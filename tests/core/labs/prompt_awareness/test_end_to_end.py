"""Plan, reward by a formula, run: what was built into the scorer comes out."""

import math

import numpy as np
import pytest

from core.labs.prompt_awareness import decomposition, matrix, swaps
from core.labs.prompt_awareness.matrix import MatrixOptions
from core.labs.prompt_awareness.measures import ratio_of
from core.labs.prompt_awareness.prompt_free import ESTIMATORS
from core.labs.prompt_awareness.swaps import SwapOptions
from core.schema import Message
from tests.core.labs.prompt_awareness.analytic import (
    is_on_topic,
    make_pairs,
    noise,
    prompt_text_of,
    quality,
    scored,
)

PAIRS = make_pairs(20, pairs_a_prompt=2)
ALL_KINDS = SwapOptions(n_prompts=3, typed=("Tell me about the moon.",))


def only_interaction(prompt: list[Message], response: str) -> float:
    """Good on its own prompt, and the other way round on any other."""
    sign = 1.0 if is_on_topic(prompt, response) else -1.0
    return sign * (1.0 if response.startswith("good") else -1.0)


def mixture(prompt: list[Message], response: str) -> float:
    """The prompt's own effect, 0.75 of the gap from the response alone, 0.25 with the prompt."""
    good = response.startswith("good")
    return (
        5 * noise(prompt_text_of(prompt))
        + noise(response.rsplit(maxsplit=1)[-1])
        + 0.75 * 4 * good
        + 0.25 * 4 * (good and is_on_topic(prompt, response))
    )


def test_a_scorer_that_ignores_the_prompt_retains_everything() -> None:
    result = swaps.run(scored(swaps.plan(PAIRS, ALL_KINDS), quality), ALL_KINDS)
    assert set(result.measures) == {*ALL_KINDS.kinds, "typed"}
    for measures in result.measures.values():
        assert measures.retention.estimate.value == 1
        assert (measures.retention.estimate.low, measures.retention.estimate.high) == (1, 1)
        assert measures.slope.estimate.value == 1
        assert measures.flip_rate.estimate.value == 0
        assert measures.correlation.estimate.value == pytest.approx(1)
        assert measures.accuracy_drop.estimate.value == 0
    assert (result.pairs["swapped_std"].dropna() == 0).all()


def test_its_matrix_has_no_interaction_and_its_gaps_no_prompt_related_part() -> None:
    cells = matrix.run(scored(matrix.plan(PAIRS, MatrixOptions("both")), quality))
    assert cells.shares.interaction.estimate.value == pytest.approx(0, abs=1e-12)
    assert cells.shares.interaction.estimate.high == pytest.approx(0, abs=1e-12)
    assert cells.shares.response.estimate.value == pytest.approx(1)
    # Every prompt ties with every other on a response: the own one stands in the middle.
    assert cells.response_ranks.rank.estimate.value == cells.response_ranks.chance_rank
    swapped = swaps.run(scored(swaps.plan(PAIRS, ALL_KINDS), quality))
    parts = decomposition.run(swapped)
    for estimator in ESTIMATORS:
        summary = parts.summaries[estimator]
        assert summary.free_share.estimate.value == pytest.approx(1)
        assert summary.prompt_related.estimate.value == pytest.approx(0, abs=1e-9)


def test_a_scorer_that_is_all_interaction_retains_the_opposite() -> None:
    options = SwapOptions(kinds=("random",), n_prompts=3)
    measures = swaps.run(scored(swaps.plan(PAIRS, options), only_interaction)).measures["random"]
    assert measures.retention.estimate.value == -1
    assert measures.flip_rate.estimate.value == 1
    assert (measures.own_accuracy.estimate.value, measures.swapped_accuracy.estimate.value) == (
        1,
        0,
    )


def test_a_matrix_that_is_all_interaction_has_no_main_effects() -> None:
    plan = matrix.plan(PAIRS, MatrixOptions(most_prompts=15))
    n = 15
    values = np.random.default_rng(0).normal(size=(n, n)) + 3 * np.eye(n)
    values -= values.mean(axis=0) + values.mean(axis=1, keepdims=True) - values.mean()
    found = matrix.run(plan.scored(values.ravel()))
    assert found.shares.interaction.estimate.value == pytest.approx(1)
    assert found.shares.interaction.estimate.low > 0.95
    assert found.shares.interaction.estimate.high == pytest.approx(1)
    assert (
        found.prompt_ranks.reciprocal_rank.estimate.low > found.prompt_ranks.chance_reciprocal_rank
    )


def test_a_mixture_gives_back_its_parameters() -> None:
    options = SwapOptions(kinds=("random", "same-topic"), n_prompts=3)
    result = swaps.run(scored(swaps.plan(PAIRS, options), mixture))
    for measures in result.measures.values():
        assert measures.retention.estimate.value == pytest.approx(0.75)
        assert measures.own_gap.estimate.value == pytest.approx(4)
        assert measures.flip_rate.estimate.value == 0
    parts = decomposition.run(result)
    for estimator in ESTIMATORS:
        assert parts.summaries[estimator].prompt_free.estimate.value == pytest.approx(3)
        assert parts.summaries[estimator].prompt_related.estimate.value == pytest.approx(1)


def test_variance_shares_of_a_mixture_are_those_of_its_parts() -> None:
    n = 15
    plan = matrix.plan(PAIRS, MatrixOptions(most_prompts=n, seed=1))
    rng = np.random.default_rng(2)
    parts = [rng.normal(0, sd, shape) for sd, shape in ((2, (n, 1)), (1, (1, n)), (0.5, (n, n)))]
    rest = parts[2]
    rest = rest - rest.mean(axis=0) - rest.mean(axis=1, keepdims=True) + rest.mean()
    squares = [n * parts[0].var() * n, n * parts[1].var() * n, float((rest**2).sum())]
    found = matrix.run(plan.scored((parts[0] + parts[1] + rest).ravel())).shares
    for name, square in zip(("prompt", "response", "interaction"), squares, strict=True):
        estimate = getattr(found, name).estimate
        assert estimate.value == pytest.approx(square / sum(squares))
        assert estimate.low < estimate.value < estimate.high


def test_retention_of_a_noisy_mixture_lies_in_its_interval_about_as_often_as_it_says() -> None:
    options = SwapOptions(kinds=("random",), n_prompts=4)
    plan = swaps.plan(make_pairs(24), options)
    rng = np.random.default_rng(9)
    keys = plan.requests
    is_own = (keys["kind"] == "own").to_numpy()
    is_chosen = (keys["side"] == "chosen").to_numpy()
    held = 0
    for _ in range(60):
        size = dict(zip(keys["pair_id"], rng.gamma(4, 0.5, len(keys)), strict=True))
        signal = keys["pair_id"].map(size).to_numpy() * np.where(is_own, 1.0, 0.6) * is_chosen
        table = plan.scored(signal + rng.normal(0, 0.5, len(keys)))
        gaps = table.pivot(index=["pair_id", "kind", "swap"], columns="side", values="reward")
        mean = (gaps["chosen"] - gaps["rejected"]).groupby(["pair_id", "kind"]).mean().unstack()
        own, other = mean["own"].to_numpy(), mean["random"].to_numpy()
        found = ratio_of(own, other, list(mean.index), rng, 0.95, {}).estimate
        held += found.low <= 0.6 <= found.high
    assert held >= 50  # Binomial(60, 0.95) is below that with probability 0.001


def test_intervals_tell_a_blind_model_from_one_that_reads() -> None:
    def blind(prompt: list[Message], response: str) -> float:
        return quality(prompt, response) + 0.2 * noise(prompt_text_of(prompt), response)

    def reads(prompt: list[Message], response: str) -> float:
        return blind(prompt, response) + 4 * (
            response.startswith("good") and is_on_topic(prompt, response)
        )

    options = SwapOptions(kinds=("random",))
    plan, cells = swaps.plan(PAIRS, options), matrix.plan(PAIRS)
    retention, share = {}, {}
    for name, scorer in (("blind", blind), ("reads", reads)):
        retention[name] = swaps.run(scored(plan, scorer)).measures["random"].retention.estimate
        share[name] = matrix.run(scored(cells, scorer)).shares.interaction.estimate
    assert retention["reads"].high < retention["blind"].low
    assert share["reads"].low > share["blind"].high
    assert not math.isnan(share["blind"].low)
