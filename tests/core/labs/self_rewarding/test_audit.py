"""A preference set read as DPO would: by hand on four pairs."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.self_rewarding.audit import AuditOptions, audit, reward_columns


@pytest.fixture
def pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "pair_id": ["a", "b", "c", "d"],
            "prompt_id": ["p", "p", "q", "r"],
            "chosen": ["yes", "same ", "good", "long text"],
            "rejected": ["no", "same", "bad", "short text"],
        }
    )


EMBEDDINGS = (
    [[1, 1], [1, 0], [1, 0], [1, 0]],
    [[1, 0], [1, 0], [0, 1], [-1, 0]],
)


def flags(found) -> dict[str, tuple[int, int]]:
    return {row.flag: (row.n, row.of) for row in found.flags.itertuples()}


def test_at_the_start_every_pair_weighs_half_of_beta_and_distance_decides(
    pairs: pd.DataFrame,
) -> None:
    found = audit(pairs, embeddings=EMBEDDINGS, options=AuditOptions(beta=0.2))

    assert found.at_start
    assert found.pairs["weight"].tolist() == [0.1] * 4
    assert found.pairs["cosine"].to_numpy() == pytest.approx([0.707107, 1, 0, -1], abs=1e-6)
    sizes = 0.1 * np.sqrt([2 - np.sqrt(2), 0, 2, 4])
    assert found.pairs["gradient"].to_numpy() == pytest.approx(sizes, abs=1e-7)
    assert found.n_equal == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())
    assert found.estimates["gradient"].value == pytest.approx(sizes.mean())
    assert found.estimates["gradient"].n_prompts == 3
    assert flags(found) == {"identical": (1, 4), "parallel": (1, 4)}
    assert len(found.missing) == 2


def test_log_probabilities_give_margins_and_saturation(pairs: pd.DataFrame) -> None:
    table = pairs.assign(
        policy_chosen=[-10, -10, -10, -10],
        policy_rejected=[-15, -10, -100, np.nan],
        reference_chosen=[-12, -10, -10, -10],
        reference_rejected=[-14, -10, -10, -10],
    )
    found = audit(table)

    assert not found.at_start
    assert found.pairs["margin"].to_numpy() == pytest.approx([0.3, 0, 9, np.nan], nan_ok=True)
    assert found.pairs["weight"].iloc[0] == pytest.approx(0.042556, abs=1e-6)
    assert found.pairs["loss"].iloc[0] == pytest.approx(0.554355, abs=1e-6)
    assert flags(found)["saturated"] == (1, 3)
    assert found.pairs["saturated"].isna().tolist() == [False, False, False, True]
    assert found.estimates["margin"].left_out == {"no number": 1}


def test_gaps_ties_and_reversed_pairs(pairs: pd.DataFrame) -> None:
    rewards = ([1.0, 2.0, 0.0, np.nan], [0.0, 2.0, 0.5, 1.0])
    found = audit(pairs, rewards=rewards)

    assert found.estimates["gap"].value == pytest.approx((1 + 0 - 0.5) / 3)
    assert found.estimates["preferred"].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert flags(found) | {"identical": (1, 4)} == {
        "identical": (1, 4),
        "tie": (1, 3),
        "reversed": (1, 3),
    }
    wide = audit(pairs, rewards=rewards, options=AuditOptions(tie=0.5))
    assert flags(wide)["tie"] == (2, 3)
    assert flags(wide)["reversed"] == (0, 3)


def test_only_numeric_columns_can_be_rewards(pairs: pd.DataFrame) -> None:
    table = pairs.assign(
        good=["1", "2.5", "x", None], kind="a", flag=True, lists=[[1], [2], [3], [4]], zero=0
    )
    assert reward_columns(table) == ["good", "zero"]


def test_no_pairs_are_told_not_raised(pairs: pd.DataFrame) -> None:
    found = audit(pairs.iloc[:0], rewards=([], []))
    assert found.estimates["gap"].n == 0
    assert np.isnan(found.flags["share"]).all()


def test_wrong_input_is_named(pairs: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="'rejected'"):
        audit(pairs.drop(columns="rejected"))
    with pytest.raises(TableError, match="rewards"):
        audit(pairs, rewards=([1.0], [2.0]))
