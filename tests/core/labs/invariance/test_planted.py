"""Attributes put in by an edit: a reward that follows one is found, one that does not is not."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.invariance import planted
from core.labs.invariance.attribute_scan import ScanOptions
from core.schema import content_id

from .made import made_pairs

OPTIONS = ScanOptions(n_permutations=400)


def scored(n: int, reward, *, seed: int = 0) -> pd.DataFrame:
    plan = planted.plan(made_pairs(n))
    rng = np.random.default_rng(seed)
    known: dict[str, float] = {}
    values = []
    for conversation in plan.conversations():
        chance = known.setdefault(content_id(conversation), float(rng.normal()))
        values.append(reward(conversation[-1]["content"], chance))
    return plan.scored(values)


def of(table: pd.DataFrame, attribute: str, kind: str = "unconditional") -> pd.Series:
    return table.set_index(["kind", "attribute"]).loc[(kind, attribute)]


def test_the_plan_holds_each_response_once_unedited_and_only_edits_that_were_made() -> None:
    requests = planted.plan(made_pairs(3)).requests
    assert (requests["perturbation"] == "").sum() == 6
    assert requests.loc[requests["perturbation"] != "", "applied"].all()
    doses = requests.loc[requests["perturbation"] == "padding", "dose"]
    assert sorted(doses.unique()) == [1, 2, 4]


def test_a_reward_that_counts_words_is_found_in_length_and_the_sign_does_not_matter() -> None:
    for sign in (1.0, -1.0):
        found = planted.scan(
            scored(12, lambda text, chance, s=sign: s * len(text.split()) + 0.1 * chance), OPTIONS
        ).table
        assert of(found, "words")["p_adjusted"] < 0.02
        assert of(found, "words", "conditional")["p_adjusted"] < 0.02
        assert of(found, "words")["n_prompts"] == 24


def test_one_edit_is_not_taken_for_another_attribute() -> None:
    """Padding costs reward; agreeing does not, though agreeing versions are never padded."""

    def shorter(text: str, chance: float) -> float:
        return -5.0 * max(0, len(text.split()) - 60) + chance

    found = planted.scan(scored(20, shorter, seed=2), OPTIONS).table
    assert of(found, "words")["p_adjusted"] < 0.02
    assert of(found, "agreement_opener")["p_value"] > 0.05


def test_better_responses_that_happen_to_be_longer_are_no_finding() -> None:
    """The reward follows the response, which every version shares."""

    def by_response(text: str, chance: float) -> float:
        return (10.0 if "You should take" in text else 0.0) + chance

    found = planted.scan(scored(20, by_response, seed=1), OPTIONS).table
    assert not found["depends"].fillna(False).any()


@pytest.mark.slow
def test_pure_chance_is_rarely_called_dependence() -> None:
    options = ScanOptions(n_permutations=200)
    n_wrong = sum(
        bool(planted.scan(scored(8, lambda _, chance: chance, seed=seed), options)
             .table["depends"].fillna(False).any())
        for seed in range(60)
    )  # fmt: skip
    assert n_wrong <= 12  # two kinds of test at 5 % each: 6 expected


def test_a_table_without_edits_is_refused() -> None:
    table = scored(2, lambda _, chance: chance).drop(columns="perturbation")
    with pytest.raises(TableError, match="perturbation"):
        planted.scan(table)
