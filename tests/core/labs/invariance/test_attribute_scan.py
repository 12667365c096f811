"""All attributes at once: what was planted is found, nothing is found where nothing is."""

import numpy as np
import pandas as pd
import pytest

from core.labs.attributes import Attribute, attribute, concept_attribute
from core.labs.invariance import mmd
from core.labs.invariance.attribute_scan import ScanOptions, bin_labels, response_values, scan
from core.labs.pairs import plan_pairs
from core.stats import false_discovery

from .made import made_pairs

OPTIONS = ScanOptions(n_bins=2, n_permutations=500)
FAST = [attribute(name) for name in ("words", "exclamations", "hedging", "first_person")]


def scored(n: int, reward, *, seed: int = 0) -> pd.DataFrame:
    """Pairs of varied length whose rewards are a function of text and chance."""
    rng = np.random.default_rng(seed)
    pairs = made_pairs(n)
    for side in ("chosen", "rejected"):
        ends = [" It is so!" * int(k) for k in rng.integers(0, 3, n)]
        pairs[side] = [text + end for text, end in zip(pairs[side], ends, strict=True)]
    plan = plan_pairs(pairs)
    values = [reward(c[-1]["content"], rng.normal()) for c in plan.conversations()]
    return plan.scored(values)


def test_the_attribute_that_the_reward_counts_is_found_and_corrected_over_all() -> None:
    found = scan(scored(40, lambda text, chance: text.count("!") + 0.1 * chance), FAST, OPTIONS)
    table = found.table.set_index(["kind", "attribute"])
    assert table.loc[("unconditional", "exclamations"), "depends"]
    assert table.loc[("conditional", "exclamations"), "p_adjusted"] < 0.01
    for _, rows in found.table.groupby("kind"):
        np.testing.assert_allclose(rows["p_adjusted"], false_discovery(rows["p_value"]))


def test_each_row_is_the_mmd_of_that_attribute() -> None:
    table = scored(30, lambda text, chance: chance)
    row = scan(table, FAST, OPTIONS).table.iloc[0]
    labels, _ = bin_labels(response_values(table, FAST)["words"], 2)
    alone = mmd.run(table, labels, mmd.MmdOptions(fewest_members=5, n_permutations=500))
    assert (row["mmd"], row["p_value"]) == (alone.total.value, alone.test.p_value)
    assert row["n"] == alone.test.n


def test_pure_chance_is_rarely_called_dependence() -> None:
    options = ScanOptions(n_bins=2, n_permutations=200)
    n_wrong = sum(
        bool(scan(scored(20, lambda _, chance: chance, seed=seed), FAST, options)
             .table["depends"].fillna(False).any())
        for seed in range(40)
    )  # fmt: skip
    assert n_wrong <= 8  # two kinds of test at 5 % each over 40 runs: 4 expected


def test_an_attribute_that_does_not_vary_is_no_finding_and_says_why() -> None:
    never = concept_attribute("never", ["xylophone"])
    table = scan(scored(10, lambda text, chance: chance), [never, FAST[0]], OPTIONS).table
    row = table.set_index(["kind", "attribute"]).loc[("unconditional", "never")]
    assert np.isnan(row["p_adjusted"])
    assert row["depends"] is pd.NA
    assert row["note"]


def test_a_function_that_fails_is_counted() -> None:
    def broken(text: str) -> float:
        raise ValueError("no")

    bad = Attribute("bad", "Bad", "Fails.", broken)
    found = scan(scored(5, lambda text, chance: chance), [bad], OPTIONS)
    assert found.problems == {"bad": {"ValueError: no": 10}}
    assert found.table["p_value"].isna().all()


def test_a_bin_of_a_few_responses_is_not_compared() -> None:
    table = scored(10, lambda text, chance: chance)
    loud = [c[-1]["content"] for c in table["conversation"]][:3]
    few = Attribute("few", "Few", "In three.", lambda text: float(text in loud))
    assert scan(table, [few], OPTIONS).table["p_value"].isna().all()
    options = ScanOptions(2, fewest_members=2, n_permutations=100)
    assert scan(table, [few], options).table["p_value"].notna().any()


def test_bins_keep_their_order_and_values_without_a_number_have_none() -> None:
    labels, notes = bin_labels([10.0, 2.0, np.nan, 2.0], 2)
    assert list(labels.cat.categories) == ["2", "10"]
    assert labels.tolist()[:2] == ["10", "2"]
    assert pd.isna(labels[2])
    assert notes == ()


@pytest.mark.parametrize("n_bins", [2, 3])
def test_titles_that_read_alike_stay_apart(n_bins: int) -> None:
    labels, _ = bin_labels([1.00001, 1.00002, 1.00003], n_bins)
    assert labels.cat.categories.is_unique
    assert labels.notna().all()
