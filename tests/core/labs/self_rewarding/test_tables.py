"""Findings survive the way through tables."""

import pandas as pd
import pytest

from core.labs.self_rewarding import drift, iterations
from core.labs.self_rewarding.audit import audit
from core.labs.self_rewarding.iterations import PairRule, rebuild
from core.labs.self_rewarding.tables import Findings, from_tables, to_tables
from tests.core.labs.self_rewarding.made import generations, recorded_pairs, rollouts
from tests.core.labs.self_rewarding.test_audit import EMBEDDINGS


def all_findings() -> Findings:
    table = pd.DataFrame(
        {"pair_id": list("abcd"), "prompt_id": list("ppqr"), "chosen": "x", "rejected": "y"}
    )
    rewards = ([1.0, 2.0, 0.0, 3.0], [0.0, 2.0, 0.5, 1.0])
    return Findings(
        recorded=iterations.run(recorded_pairs(rollouts()), n_draws=50),
        rebuilt=rebuild(generations(), PairRule(anchored=True), n_draws=50),
        drift=drift.run(generations().table, n_draws=50),
        audit=audit(table, rewards=rewards, embeddings=EMBEDDINGS),
    )


def test_tables_give_the_findings_again() -> None:
    found = all_findings()
    again = from_tables(to_tables(found))
    assert again.audit is not None
    assert found.audit is not None
    assert again.audit.estimates == dict(found.audit.estimates)
    assert again.audit.missing == found.audit.missing
    assert again.audit.n_equal == pytest.approx(found.audit.n_equal)
    assert again.recorded is not None
    assert found.recorded is not None
    pd.testing.assert_frame_equal(again.recorded.estimates, found.recorded.estimates)
    assert again.drift is not None
    assert again.rebuilt is not None


def test_what_was_not_run_has_no_tables() -> None:
    assert to_tables(Findings()) == {}
    assert from_tables({}) == Findings()
