"""Prompt-free and prompt-related parts of each gap, from swap results."""

import math

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.prompt_awareness import decomposition, swaps
from core.labs.prompt_awareness.decomposition import DecompositionOptions
from core.labs.prompt_awareness.prompt_free import ESTIMATORS


def result_of(gaps: dict[str, list[float]]) -> swaps.SwapResult:
    """A swap result from gaps by pair: the own one first, then those under random prompts."""
    rows = [
        {
            "pair_id": pair, "prompt_id": pair, "kind": "random" if at else "own",
            "swap": max(0, at - 1), "side": side, "reward": gap if side == "chosen" else 0.0,
        }
        for pair, values in gaps.items()
        for at, gap in enumerate(values)
        for side in ("chosen", "rejected")
    ]  # fmt: skip
    return swaps.run(pd.DataFrame(rows))


def parts(result: decomposition.DecompositionResult, pair: str, estimator: str) -> pd.Series:
    return result.pairs.set_index(["pair_id", "estimator"]).loc[(pair, estimator)]


def test_published_vector_with_the_own_prompt_among_the_prompts() -> None:
    result = decomposition.run(
        result_of({"a": [3, -1, 1], "b": [1, 1, 4]}), DecompositionOptions(include_own=True)
    )
    found = parts(result, "a", "zero-information")
    assert found["prompt_free"] == pytest.approx(1)
    assert found["prompt_related"] == pytest.approx(2)
    assert found["n_prompts_used"] == 3
    assert parts(result, "a", "marginal-matching")["prompt_free"] == pytest.approx(0.6228, abs=5e-5)
    assert parts(result, "b", "zero-information")["prompt_free"] == pytest.approx(1.8394, abs=5e-5)


def test_by_default_only_other_prompts_count() -> None:
    found = decomposition.run(result_of({"a": [3, -1, 1]}))
    assert parts(found, "a", "mean")["prompt_free"] == 0
    assert parts(found, "a", "zero-information")["prompt_related"] == pytest.approx(3)


def test_one_other_prompt_gives_its_gap_by_every_estimator() -> None:
    result = decomposition.run(result_of({"a": [3.0, 1.25]}))
    assert result.pairs["prompt_free"].to_numpy() == pytest.approx([1.25] * len(ESTIMATORS))
    assert not result.pairs["saturated"].any()
    assert not result.pairs["few_prompts"].any()


def test_parts_add_up_and_the_share_is_a_ratio_of_sums() -> None:
    rng = np.random.default_rng(0)
    gaps = {f"p{at}": rng.normal(1, 1, 6).tolist() for at in range(12)}
    result = decomposition.run(result_of(gaps))
    table = result.pairs
    assert (table["prompt_free"] + table["prompt_related"]).to_numpy() == pytest.approx(
        table["own_gap"].to_numpy()
    )
    for estimator in ESTIMATORS:
        rows = table[table["estimator"] == estimator]
        share = result.summaries[estimator].free_share.estimate
        assert share.value == pytest.approx(rows["prompt_free"].sum() / rows["own_gap"].sum())
        assert share.low < share.value < share.high
        assert share.n == 12
    retention = result_of(gaps).measures["random"].retention.estimate.value
    assert result.summaries["mean"].free_share.estimate.value == pytest.approx(retention)


def test_saturation_is_flagged_and_counted() -> None:
    result = decomposition.run(result_of({"a": [50.0, 40.0, 45.0], "b": [1.0, 0.5, 0.2]}))
    assert bool(parts(result, "a", "marginal-matching")["saturated"])
    assert result.summaries["marginal-matching"].n_saturated == 1
    assert result.summaries["zero-information"].n_saturated == 0


def log_probs(values: list[tuple[float, float]], pair: str = "a") -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"pair_id": pair, "kind": "random", "swap": at, "log_prob_chosen": c,
             "log_prob_rejected": r}
            for at, (c, r) in enumerate(values)
        ]
    )  # fmt: skip


def test_policy_weights_move_the_parts_and_report_their_sample_size() -> None:
    swapped = result_of({"a": [3.0, 3.0, -1.0, 1.0]})
    logs = log_probs(
        [(math.log(0.6) - 700, -300), (math.log(0.2) - 500, -500), (-1000, math.log(0.2))]
    )
    options = DecompositionOptions(policy_weighted=True)
    found = parts(decomposition.run(swapped, options, log_probs=logs), "a", "zero-information")
    assert found["prompt_free"] == pytest.approx(2.0115, abs=5e-5)
    assert found["effective_prompts"] == pytest.approx(1 / (0.36 + 0.04 + 0.04))
    assert not found["few_prompts"]


def test_weights_on_one_prompt_are_flagged_and_unknown_ones_counted() -> None:
    swapped = result_of({"a": [3.0, 3.0, -1.0, 1.0], "b": [1.0, 2.0]})
    logs = log_probs([(0, 0), (-40, -40), (math.nan, 0)])
    options = DecompositionOptions(policy_weighted=True)
    result = decomposition.run(swapped, options, log_probs=logs)
    found = parts(result, "a", "mean")
    assert found["few_prompts"]
    assert found["prompt_free"] == pytest.approx(3)
    assert result.left_out == {
        "prompts without log-probabilities": 2, "no usable other prompt": 1,
    }  # fmt: skip
    with pytest.raises(TableError, match="log-probabilities"):
        decomposition.run(swapped, options)


def test_gaps_without_a_number_are_left_out_and_counted() -> None:
    result = decomposition.run(
        result_of({"a": [math.nan, 1.0], "b": [1.0, math.nan], "c": [2.0, 1.0, math.nan]})
    )
    assert result.pairs["pair_id"].unique().tolist() == ["c"]
    assert result.left_out == {
        "no gap under the own prompt": 1,
        "no usable other prompt": 1,
        "prompts without a gap": 2,
    }


def test_controls_do_not_enter_unless_asked_for() -> None:
    rows = result_of({"a": [2.0, 1.0]})
    blank = rows.gaps.assign(kind=["own", "empty"])
    controls = swaps.SwapResult(blank, rows.pairs, {}, rows.slices)
    with pytest.raises(TableError, match="no gaps under prompts of kind random"):
        decomposition.run(controls)
    found = decomposition.run(controls, DecompositionOptions(kinds=("empty",)))
    assert parts(found, "a", "mean")["prompt_free"] == 1
