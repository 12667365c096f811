import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.errors import TableError
from core.labs.implicit.length import length_report, responses_of_readings


def made(n: int, *, per_token: float, noise: float = 0.1, seed: int = 0) -> pd.DataFrame:
    """Sum rewards that grow by per_token with every token, at a level of each prompt's own."""
    rng = np.random.default_rng(seed)
    rows = []
    for prompt in range(n):
        level = rng.normal(0, 5)
        for response in ("chosen", "rejected", "rejected"):
            tokens = int(rng.integers(10, 100))
            total = level + per_token * tokens + rng.normal(0, noise)
            rows.append((prompt, response, tokens, total, total / tokens))
    return pd.DataFrame(rows, columns=["prompt_id", "response", "n_tokens", "sum", "mean"])


def test_a_planted_slope_is_found_within_prompts() -> None:
    report = length_report(made(40, per_token=-0.05), rng=np.random.default_rng(0))
    effect = report.effects[0]
    assert effect.rule == "sum"
    assert effect.per_token.value == pytest.approx(-0.05, abs=0.002)
    assert effect.per_token.low < -0.05 < effect.per_token.high
    assert effect.slope.value < -0.9
    assert effect.prefers_longer.value < 0.1


def test_no_slope_is_not_resolved() -> None:
    report = length_report(made(40, per_token=0.0), rng=np.random.default_rng(0))
    found = report.effects[0].per_token
    assert found.low < 0 < found.high


def test_slope_and_shares_by_hand() -> None:
    table = pd.DataFrame(
        [
            ("p", "chosen", 10, 2.0, 0.2),
            ("p", "rejected", 20, 1.0, 0.05),
            ("q", "chosen", 30, 3.0, 0.1),
            ("q", "rejected", 10, 1.0, 0.1),
        ],
        columns=["prompt_id", "response", "n_tokens", "sum", "mean"],
    )
    report = length_report(table, rng=np.random.default_rng(0))
    total, mean = report.effects
    # Within prompts: lengths -5, 5, 10, -10 and sums .5, -.5, 1, -1.
    assert total.per_token.value == pytest.approx((-2.5 - 2.5 + 10 + 10) / 250)
    assert total.accuracy.value == 1
    assert (total.accuracy_long.n, total.accuracy_short.n) == (1, 1)
    assert total.prefers_longer.value == 0.5
    assert mean.accuracy.value == 0.75
    assert report.same_winner.value == 0.5
    wanted = stats.kendalltau(table["sum"], table["mean"]).statistic
    assert report.agreement.value == pytest.approx(wanted)


def test_rewards_that_are_missing_are_counted() -> None:
    table = made(10, per_token=0.1)
    table.loc[0, "sum"] = np.nan
    report = length_report(table, rng=np.random.default_rng(0))
    assert report.left_out == {"responses without a reward": 1}
    assert report.agreement.n == 29


def test_equal_lengths_have_no_slope() -> None:
    table = made(5, per_token=0.1).assign(n_tokens=20)
    report = length_report(table, rng=np.random.default_rng(0))
    assert np.isnan(report.effects[0].per_token.value)
    assert report.effects[0].prefers_longer.n == 0


def test_what_cannot_work_says_so() -> None:
    with pytest.raises(TableError, match="lacks"):
        length_report(pd.DataFrame({"prompt_id": []}), rng=np.random.default_rng(0))
    with pytest.raises(TableError, match="No response"):
        length_report(made(2, per_token=0).assign(sum=np.nan), rng=np.random.default_rng(0))


def test_pairs_that_were_read_keep_to_their_own_chosen_response() -> None:
    pairs = pd.DataFrame(
        [
            ("1", "p", "good", "bad"),
            ("2", "p", "good", "worse"),
            ("3", "p", "better", "bad"),
            ("4", "q", "fine", "poor"),
            ("5", "q", "fine", "unread"),
        ],
        columns=["pair_id", "prompt_id", "chosen", "rejected"],
    )
    texts = {"good": 3.0, "bad": 1.0, "worse": 0.0, "better": 0.5, "fine": 2.0, "poor": 1.0}
    readings = {
        f"{row.pair_id}/{side}": (len(getattr(row, side)), texts[getattr(row, side)], 0.1)
        for row in pairs.itertuples()
        for side in ("chosen", "rejected")
        if getattr(row, side) in texts
    }
    table = responses_of_readings(pairs, readings)
    chosen = table[table["response"] == "chosen"]
    assert chosen[["prompt_id", "group", "sum"]].values.tolist() == [
        ["p", 0, 3.0],
        ["p", 1, 0.5],
        ["q", 0, 2.0],
    ]
    report = length_report(table, rng=np.random.default_rng(0), n_resamples=50)
    assert sorted(report.pairs["gap_sum"]) == [-0.5, 1.0, 2.0, 3.0]
    assert report.effects[0].accuracy.value == 0.75
    assert report.effects[0].accuracy.n_prompts == 2
