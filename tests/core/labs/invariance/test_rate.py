"""RATE: the vectors, the marks of a rewriter, failed rewrites."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.invariance.rate import (
    RateOptions,
    RateResult,
    perturbation_rewriter,
    plan,
    run,
)
from core.perturbations import get

FAST = RateOptions(n_resamples=300)


def table(n: int, has: list[bool] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "response_id": [f"r{at}" for at in range(n)],
            "prompt_id": [f"p{at}" for at in range(n)],
            "prompt": [[{"role": "user", "content": f"Question {at}?"}] for at in range(n)],
            "response": [f"Answer {at}." for at in range(n)],
            "has_attribute": has or [at % 2 == 0 for at in range(n)],
        }
    )


def scored(rewards: list[tuple[bool, float, float, float]]) -> pd.DataFrame:
    """Rewards of original, rewrite and double rewrite of each response."""
    rows = []
    for at, (has, *arms) in enumerate(rewards):
        for arm, reward in zip(("original", "rewrite", "double"), arms, strict=True):
            rows.append((f"r{at}", f"p{at}", has, arm, reward))
    columns = ["response_id", "prompt_id", "has_attribute", "arm", "reward"]
    return pd.DataFrame(rows, columns=columns)


VECTOR = [
    (True, 4.0, 1.0, 3.0),
    (True, 3.0, 1.5, 2.0),
    (False, 1.8, 2.5, 2.0),
    (False, 0.9, 1.0, 1.0),
    (False, 0.9, 0.5, 1.0),
]


def value(result: RateResult, estimator: str, effect: str, column: str = "value") -> float:
    rows = result.effects.set_index(["estimator", "effect"])
    return float(rows.loc[(estimator, effect), column])


def test_vectors() -> None:
    result = run(scored(VECTOR), FAST)
    assert value(result, "double rewrite", "ATT") == pytest.approx(1.25)
    assert value(result, "double rewrite", "ATT", "standard_error") == pytest.approx(0.75)
    assert value(result, "double rewrite", "ATU") == pytest.approx(0.0)
    assert value(result, "double rewrite", "ATE") == pytest.approx(0.5)
    assert value(result, "naive", "ATE") == pytest.approx(3.5 - 1.2)
    assert value(result, "single rewrite", "ATT") == pytest.approx((3.0 + 1.5) / 2)
    assert value(result, "single rewrite", "ATU") == pytest.approx((0.7 + 0.1 - 0.4) / 3)


def test_naive_standard_error_is_that_of_two_independent_means() -> None:
    has, without = np.array([4.0, 3.0]), np.array([1.8, 0.9, 0.9])
    expected = np.sqrt(has.var(ddof=1) / 2 + without.var(ddof=1) / 3)
    found = value(run(scored(VECTOR), FAST), "naive", "ATE", "standard_error")
    assert found == pytest.approx(expected)


def test_rewrite_effect_is_double_minus_original() -> None:
    sanity = run(scored(VECTOR), FAST).sanity.set_index("has_attribute")
    assert sanity.loc["with", "value"] == pytest.approx(-1.0)
    assert sanity.loc["without", "value"] == pytest.approx((0.2 + 0.1 + 0.1) / 3)
    assert sanity.loc["all", "n"] == 5


def test_double_rewrites_are_blind_to_the_rewriters_marks_single_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    effect, mark = 0.5, -2.0
    rows = []
    for _ in range(300):
        has, quality = bool(rng.random() < 0.5), rng.normal()
        noise = 0.3 * rng.normal(size=3)
        here, there = effect * has, effect * (not has)
        original, rewritten, double = quality + here, quality + there + mark, quality + here + mark
        rows.append((has, original + noise[0], rewritten + noise[1], double + noise[2]))
    result = run(scored(rows), FAST)
    for kind in ("ATT", "ATU", "ATE"):
        low = value(result, "double rewrite", kind, "low")
        high = value(result, "double rewrite", kind, "high")
        assert low < effect < high
    assert value(result, "single rewrite", "ATT", "low") > effect + 1.5
    assert value(result, "single rewrite", "ATU", "high") < effect - 1.5
    sanity = result.sanity.set_index("has_attribute").loc["all"]
    assert sanity["low"] < mark < sanity["high"] < 0
    assert sanity["p_value"] < 0.01


def test_naive_difference_takes_confounding_for_effect() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(200):
        has = bool(rng.random() < 0.5)
        quality = rng.normal() + 1.5 * has  # who has the attribute is better anyway
        rows.append((has, quality, quality + 0.1 * rng.normal(), quality + 0.1 * rng.normal()))
    result = run(scored(rows), FAST)
    assert value(result, "naive", "ATE", "low") > 1.0
    assert abs(value(result, "double rewrite", "ATE")) < 0.05
    assert value(result, "double rewrite", "ATE", "p_value") > 0.01


def test_responses_without_all_three_rewards_are_dropped_and_counted() -> None:
    rows = scored(VECTOR)
    rows["error"] = ""
    rows.loc[1, ["reward", "error"]] = [np.nan, "too long"]
    rows = rows.drop(index=5)
    result = run(rows, FAST)
    assert result.left_out == {"too long": 1, "a text is not there": 1}
    assert value(result, "double rewrite", "ATE", "n") == 3
    assert result.responses["response_id"].tolist() == ["r2", "r3", "r4"]


def test_one_sided_and_empty_tables() -> None:
    result = run(scored(VECTOR[:2]), FAST)
    assert np.isnan(value(result, "naive", "ATE"))
    assert np.isnan(value(result, "double rewrite", "ATU"))
    assert value(result, "double rewrite", "ATE") == 1.25
    empty = run(scored(VECTOR).iloc[:0], FAST)
    assert np.isnan(value(empty, "double rewrite", "ATE"))
    assert value(empty, "double rewrite", "ATE", "n") == 0


def test_plan_of_given_rewrites() -> None:
    given = table(4).assign(
        rewrite=["a", "b", None, "Answer 3."], double_rewrite=["c", "", "d", "e"]
    )
    made = plan(given)
    assert made.left_out == {
        "the rewrite back failed": 1,
        "the rewrite failed": 1,
        "a rewrite changed nothing": 1,
    }
    assert made.requests["arm"].tolist() == ["original", "rewrite", "double"]
    texts = [conversation[-1]["content"] for conversation in made.conversations()]
    assert texts == ["Answer 0.", "a", "c"]


def test_plan_asks_the_rewriter_for_the_other_side_and_back() -> None:
    asked = []

    def rewrite(text: str, to: bool) -> str | None:
        asked.append((text, to))
        return None if text == "Answer 2." else f"{text} {'long' if to else 'short'}"

    made = plan(table(3, [True, False, True]), rewrite)
    assert asked == [
        ("Answer 0.", False),
        ("Answer 0. short", True),
        ("Answer 1.", True),
        ("Answer 1. long", False),
        ("Answer 2.", False),
    ]
    assert made.left_out == {"the rewrite failed": 1}
    assert len(made) == 6
    assert set(made.requests["response_id"]) == {"r0", "r1"}


def test_damaged_rows_are_counted_and_wrong_tables_named() -> None:
    damaged = table(3).assign(rewrite="x", double_rewrite="y")
    damaged["has_attribute"] = [True, None, False]
    damaged["response"] = ["fine", "fine", 7]
    damaged["prompt"] = [5, *damaged["prompt"][1:]]
    made = plan(damaged)
    assert len(made) == 0
    assert sum(made.left_out.values()) == 3
    with pytest.raises(TableError, match="lacks rewrite"):
        plan(table(2))
    with pytest.raises(TableError, match="stands twice"):
        plan(pd.concat([table(1), table(1)]), lambda text, to: text)
    with pytest.raises(TableError, match="one model at a time"):
        run(pd.concat([scored(VECTOR), scored(VECTOR)]))


def test_rules_of_the_perturbation_library_rewrite() -> None:
    rewrite = perturbation_rewriter(get("padding"), get("drop-sentence"))
    text = "It opens at nine in the morning. The walk is short. Take an umbrella with you."
    longer = rewrite(text, True)
    assert longer is not None
    assert longer.startswith(text)
    shorter = rewrite(text, False)
    assert shorter is not None
    assert len(shorter) < len(text)
    assert rewrite("", True) is None
    with pytest.raises(TableError, match="edits the prompt"):
        perturbation_rewriter(get("typos-in-prompt"), get("padding"))


def test_rules_plan_and_recover_the_effect_of_length() -> None:
    rewrite = perturbation_rewriter(get("padding"), get("drop-sentence"))
    responses = table(30)
    base = "It opens at nine in the morning. The walk is short. Take an umbrella with you."
    responses["response"] = [f"{base} That is all about day {at}." for at in range(30)]
    made = plan(responses, rewrite)
    lengths = [len(conversation[-1]["content"]) / 100 for conversation in made.conversations()]
    result = run(made.scored(lengths), FAST)
    assert value(result, "double rewrite", "ATE", "low") > 0.3
    assert value(result, "double rewrite", "ATE", "p_value") < 0.01
