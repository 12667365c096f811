"""Single responses of a battery, and its groups in numbers."""

import numpy as np
import pandas as pd
import pytest

from core.labs.invariance import battery
from core.labs.invariance.battery import BatteryOptions
from core.labs.invariance.battery_changes import (
    CHANGE_COLUMNS,
    changed_responses,
    group_verdicts,
    largest_changes,
)

from .made import made_pairs

OPTIONS = BatteryOptions(("padding", "truncate"), doses="all", n_resamples=100)


@pytest.fixture
def scored() -> pd.DataFrame:
    plan = battery.plan(made_pairs(5), OPTIONS)
    return plan.scored([len(c[-1]["content"].split()) for c in plan.conversations()])


def test_a_change_is_after_minus_before_of_the_same_response(scored: pd.DataFrame) -> None:
    changes = changed_responses(scored)
    assert tuple(changes.columns) == CHANGE_COLUMNS
    assert len(changes) == 5 * 2 * 4
    texts = scored.set_index(["pair_id", "side", "perturbation", "dose"])["conversation"]
    for row in changes.itertuples():
        before = texts[(row.pair_id, row.side, "", 0)][-1]["content"]
        after = texts[(row.pair_id, row.side, row.perturbation, row.dose)][-1]["content"]
        assert row.before == len(before.split())
        assert row.change == len(after.split()) - len(before.split())


def test_what_has_no_reward_has_no_change(scored: pd.DataFrame) -> None:
    first = scored["pair_id"] == "pair-0"
    scored.loc[first & (scored["perturbation"] == ""), "reward"] = np.nan
    changes = changed_responses(scored)
    assert "pair-0" not in set(changes["pair_id"])
    assert len(changes) == 4 * 2 * 4


def test_the_largest_come_first_either_way() -> None:
    table = pd.DataFrame(
        {
            "perturbation": ["a", "a", "a", "b"],
            "dose": [1, 2, 1, 1],
            "change": [1.0, -3.0, 2.0, 9.0],
        }
    )
    assert largest_changes(table, "a")["change"].tolist() == [-3.0, 2.0, 1.0]
    assert largest_changes(table, "a", dose=1, most=1)["change"].tolist() == [2.0]
    assert largest_changes(table, "c").empty


def test_groups_count_each_edit_once_and_name_the_worst_first() -> None:
    effects = pd.DataFrame(
        {
            "group": ["nothing", "nothing", "nothing", "nothing", "lower", "lower"],
            "title": ["A", "A", "B", "C", "D", "E"],
            "primary": [True, False, True, True, True, True],
            "n": [4, 4, 4, 4, 0, 4],
            "as_it_should": pd.array([False, False, False, True, None, None], dtype="boolean"),
            "in_spreads": [0.3, 0.1, -0.9, 0.0, np.nan, 0.1],
        }
    )
    table = group_verdicts(effects, {"lower": "should drop", "nothing": "should not move"})
    assert table.to_dict("records") == [
        {
            "group": "lower", "title": "should drop", "n_edits": 2, "n_as_it_should": 0, "n_not": 0,
            "n_cannot_say": 1, "n_not_applied": 1, "offenders": "",
        },
        {
            "group": "nothing", "title": "should not move", "n_edits": 3, "n_as_it_should": 1,
            "n_not": 2, "n_cannot_say": 0, "n_not_applied": 0, "offenders": "B; A",
        },
    ]  # fmt: skip
