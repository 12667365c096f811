"""The best-of-n estimator against every subset, and what the lab finds in made-up models."""

import itertools

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.best_of_n import (
    BestOfNOptions,
    combine,
    expected_best,
    order_accuracy,
    plan,
    reward_variance,
    run,
    sizes_up_to,
    standardise,
)


def brute_force(proxy: np.ndarray, gold: np.ndarray, n: int) -> float:
    """The mean over all subsets of n; equal favourites share."""
    values = []
    for subset in itertools.combinations(range(len(proxy)), n):
        rows = np.array(subset)
        best = rows[proxy[rows] == proxy[rows].max()]
        values.append(gold[best].mean())
    return float(np.mean(values))


class TestEstimator:
    def test_the_vector_of_over_optimisation(self) -> None:
        found = expected_best([1, 2, 3, 4], [0, 2, 3, 1], [1, 2, 3, 4])
        assert found == pytest.approx([1.5, 1.8333333, 1.5, 1.0], abs=1e-6)

    @pytest.mark.parametrize("n_values", [2, 3, 100])
    def test_equals_the_mean_over_all_subsets_with_and_without_ties(self, n_values: int) -> None:
        rng = np.random.default_rng(n_values)
        for _ in range(15):
            size = int(rng.integers(1, 8))
            proxy = rng.integers(0, n_values, size=size).astype(float)
            gold = rng.normal(size=size)
            ns = list(range(1, size + 1))
            expected = [brute_force(proxy, gold, n) for n in ns]
            assert expected_best(proxy, gold, ns) == pytest.approx(expected)

    def test_all_equal_proxies_give_the_mean_at_every_n(self) -> None:
        assert expected_best([7, 7, 7], [0, 1, 5], [1, 2, 3]) == pytest.approx([2, 2, 2])

    def test_infinite_proxies_have_an_order(self) -> None:
        found = expected_best([-np.inf, 0, np.inf], [1, 2, 3], [1, 3])
        assert found == pytest.approx([2, 3])

    def test_many_samples_stay_exact(self) -> None:
        gold = np.arange(2000, dtype=float)
        assert expected_best(gold, gold, [1, 2000]) == pytest.approx([999.5, 1999])
        # The expected largest of 2 among 0..N-1 is (2N - 1) / 3 - 1/3.
        assert expected_best(gold, gold, [2]) == pytest.approx([(2 * 2000 - 1) / 3])

    @pytest.mark.parametrize(
        ("proxy", "gold", "ns", "message"),
        [
            ([1, 2], [1], [1], "2 proxy rewards but 1 gold"),
            ([1, np.nan], [1, 2], [1], "not a number"),
            ([1, 2], [1, 2], [3], "from 1 to 2"),
            ([1, 2], [1, 2], [0], "from 1 to 2"),
        ],
    )
    def test_refuses_what_it_cannot_compute(
        self, proxy: list[float], gold: list[float], ns: list[int], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            expected_best(proxy, gold, ns)

    def test_sizes(self) -> None:
        assert sizes_up_to(3) == [1, 2, 3]
        assert sizes_up_to(40) == [1, 2, 4, 8, 16, 32, 40]
        assert sizes_up_to(0) == []


class TestEnsembles:
    def test_the_vector(self) -> None:
        rewards = np.array([[1.0], [2.0], [3.0]])
        assert combine(rewards, "mean") == [2]
        assert combine(rewards, "worst case") == [1]
        assert combine(rewards, "mean - variance") == pytest.approx([1.666667], abs=1e-6)

    def test_standardised_rewards_do_not_know_their_scale(self) -> None:
        values = np.array([1.0, 5.0, 2.0, np.nan])
        assert standardise(values)[:3] == pytest.approx(standardise(100 * values - 7)[:3])
        assert np.isnan(standardise(values)[3])
        assert standardise([4, 4]).tolist() == [0, 0]


class TestMeasures:
    def test_variance_of_binary_rewards(self) -> None:
        assert reward_variance([0, 1]) == 0.25
        assert reward_variance([1] + [0] * 9) == pytest.approx(0.09)
        assert np.isnan(reward_variance([1.0], ddof=1))

    def test_order_accuracy_by_hand(self) -> None:
        # Pairs with different gold: (0, 2) right, (1, 2) tie of the proxy.
        assert order_accuracy([0, 2, 2], [0, 0, 1]) == 0.75
        assert np.isnan(order_accuracy([1, 2], [3, 3]))


def responses(n_prompts: int, n_each: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {
            "prompt_id": f"p{p}",
            "prompt": [{"role": "user", "content": f"Question {p}"}],
            "response": f"answer {k}",
            "gold": float(rng.normal()),
        }
        for p in range(n_prompts)
        for k in range(n_each)
    ]
    return pd.DataFrame(rows)


OPTIONS = BestOfNOptions(n_resamples=200)


class TestLab:
    def test_plan_keeps_the_gold_column_and_refuses_a_table_without_responses(self) -> None:
        table = responses(2, 3)
        made = plan(table)
        assert len(made) == 6
        assert made.requests["gold"].tolist() == table["gold"].tolist()
        with pytest.raises(TableError, match="lacks the columns prompt, response"):
            plan(table[["prompt_id", "gold"]])

    def test_the_gold_reward_itself_gains_and_its_opposite_loses(self) -> None:
        table = responses(30, 8)
        made, gold = plan(table), table["gold"].to_numpy()
        result = run({"good": made.scored(gold), "bad": made.scored(-gold)}, OPTIONS)
        curves = result.curves.set_index(["proxy", "n"])
        assert curves.loc[("good", 8), "gain_low"] > 0
        assert curves.loc[("bad", 8), "gain_high"] < 0
        assert curves.loc[("good", 8), "gold"] == pytest.approx(curves.loc[("oracle", 8), "gold"])
        by_prompt = table.groupby("prompt_id")["gold"].max().mean()
        assert curves.loc[("oracle", 8), "gold"] == pytest.approx(by_prompt)
        assert result.n_prompts == 30
        policies = result.policies.set_index("proxy")
        assert policies.loc["good", "accuracy"] == 1
        assert policies.loc["bad", "accuracy"] == 0
        # The two cancel: an ensemble of them knows nothing.
        assert curves.loc[("ensemble: mean", 8), "gain"] == pytest.approx(0, abs=1e-9)

    def test_an_over_optimised_proxy_turns_and_its_drop_is_found(self) -> None:
        # The proxy's very favourite is always a bad one.
        table = responses(60, 16, seed=4)
        gold = table["gold"].to_numpy().copy().reshape(60, 16)
        proxy = gold.copy()
        proxy[:, 0] = 10
        table["gold"] = np.where(np.arange(16) == 0, -3, gold).ravel()
        made = plan(table)
        result = run({"hacked": made.scored(proxy.ravel())}, OPTIONS)
        drop = result.drops.set_index("proxy").loc["hacked"]
        assert 1 < drop["best_n"] < 16
        assert drop["high"] < 0
        fit = result.fits.set_index("proxy").loc["hacked"]
        assert fit["beta_low"] > 0
        assert fit["problem"] == ""
        assert fit["peak_distance_low"] <= fit["peak_distance"] <= fit["peak_distance_high"]

    def test_a_faithful_proxy_shows_no_turn_worth_the_name(self) -> None:
        table = responses(5, 4)
        made = plan(table)
        rng = np.random.default_rng(1)
        result = run({"noise": made.scored(rng.normal(size=len(made)))}, OPTIONS)
        assert result.fits.iloc[0]["problem"] != ""

    def test_gold_from_another_model_is_standardised_and_no_proxy(self) -> None:
        table = responses(10, 4).drop(columns="gold")
        made = plan(table)
        rng = np.random.default_rng(2)
        rewards = rng.normal(size=len(made))
        options = BestOfNOptions(n_resamples=50, gold_model="judge")
        scored = {"a": made.scored(rewards), "judge": made.scored(1000 * rewards + 5)}
        result = run(scored, options)
        assert set(result.curves["proxy"]) == {"a", "oracle"}
        assert result.curves["gold"].abs().max() < 5
        assert result.gold == "judge (standardised)"

    def test_unusable_responses_are_counted_by_reason(self) -> None:
        table = responses(6, 4)
        table.loc[0, "gold"] = np.nan
        made = plan(table)
        rewards = np.arange(24, dtype=float)
        rewards[5] = np.nan
        errors = [""] * 24
        errors[9] = "too long\nmore"
        result = run({"a": made.scored(rewards, errors)}, OPTIONS)
        assert result.left_out == {"no gold reward": 1, "no reward": 1, "too long": 1}
        assert result.n_prompts == 6
        assert result.curves["n"].max() == 3

    def test_one_short_prompt_of_many_does_not_shorten_the_curve(self) -> None:
        made = plan(responses(20, 4).iloc[3:])
        result = run({"a": made.scored(np.arange(77.0))}, OPTIONS)
        assert result.curves["n"].max() == 4
        assert result.left_out == {"prompt with too few usable responses": 1}

    def test_every_n_is_about_the_same_prompts(self) -> None:
        table = responses(6, 4)
        made = plan(table)
        rewards = np.arange(24, dtype=float)
        rewards[0] = np.nan
        result = run({"a": made.scored(rewards)}, BestOfNOptions(n_resamples=50, max_n=4))
        assert set(result.curves["n_prompts"]) == {5}
        assert result.left_out["prompt with too few usable responses"] == 1

    def test_nothing_usable_gives_an_empty_result(self) -> None:
        made = plan(responses(2, 2))
        result = run({"a": made.scored([np.nan] * 4)}, OPTIONS)
        assert result.n_prompts == 0
        assert result.curves.empty

    def test_a_constant_proxy_gains_nothing_and_is_told(self) -> None:
        made = plan(responses(5, 4))
        result = run({"flat": made.scored([1.0] * 20)}, OPTIONS)
        assert result.notes == ("flat gives every response the same reward.",)
        gains = result.curves[result.curves["proxy"] == "flat"]["gain"]
        assert gains.abs().max() == pytest.approx(0, abs=1e-12)
        assert result.policies.iloc[0]["variance"] == 0

    def test_refuses_a_missing_gold_no_proxy_or_other_rows(self) -> None:
        made = plan(responses(2, 2))
        scored = made.scored([1.0, 2, 3, 4])
        with pytest.raises(TableError, match="no column nothing with the gold reward"):
            run({"a": scored}, BestOfNOptions(gold="nothing"))
        with pytest.raises(TableError, match="There is no proxy"):
            run({"a": scored}, BestOfNOptions(gold_model="a"))
        with pytest.raises(TableError, match="not about the same responses"):
            run({"a": scored, "b": scored.iloc[:2]}, OPTIONS)

    def test_one_prompt_has_no_interval_but_a_curve(self) -> None:
        made = plan(responses(1, 4))
        result = run({"a": made.scored([1.0, 2, 3, 4])}, OPTIONS)
        assert result.curves["gold_low"].isna().all()
        assert np.isfinite(result.curves["gold"]).all()
        assert result.fits.iloc[0]["problem"] != ""

    def test_the_same_seed_gives_the_same_numbers(self) -> None:
        made = plan(responses(8, 4))
        scored = {"a": made.scored(np.arange(32.0))}
        first, second = run(scored, OPTIONS), run(scored, OPTIONS)
        pd.testing.assert_frame_equal(first.curves, second.curves)
        pd.testing.assert_frame_equal(first.fits, second.fits)
