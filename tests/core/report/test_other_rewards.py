"""The report of the other rewards page is drawn from the run's tables alone."""

import numpy as np
import pandas as pd

from core.labs.implicit.length import length_report
from core.labs.rubric.ranks import rank_shift
from core.report import pack_estimates
from core.report.kinds.other_rewards import other_rewards_sections


def test_a_run_without_tables_has_no_section() -> None:
    assert list(other_rewards_sections({}, {})) == []


def test_the_length_effect_comes_with_its_intervals() -> None:
    responses = pd.DataFrame(
        {
            "prompt_id": [f"p{i // 2}" for i in range(8)],
            "response": ["chosen", "rejected"] * 4,
            "n_tokens": [4, 9, 7, 3, 6, 8, 2, 5],
            "sum": [1.0, 0.5, 0.2, 0.3, 0.9, 0.1, 0.4, 0.2],
            "mean": [0.2, 0.1, 0.1, 0.2, 0.3, 0.0, 0.2, 0.1],
        }
    )
    report = length_report(responses, rng=np.random.default_rng(0), n_resamples=50)
    packed = pack_estimates({"pairs ranked rightly": report.effects[0].accuracy})
    (section,) = other_rewards_sections(
        {"responses": responses, "estimates": packed}, {"rule": "mean", "source": "four pairs"}
    )
    assert section.estimates["pairs ranked rightly"].value == 0.75
    assert section.estimates["pairs ranked rightly"].n == 4
    assert section.notes == ["four pairs"]
    assert list(section.figures[0].data[0].x) == [-2.5, 2.0, -1.0, -1.5]


def test_steps_and_ranks_have_their_sections() -> None:
    ranking = pd.DataFrame([{"aggregate": "min", "auc": 0.6, "low": 0.4, "high": 0.8, "n": 8}])
    (section,) = other_rewards_sections({"ranking": ranking}, {})
    assert section.tables["As a reward of whole solutions"]["auc"].tolist() == [0.6]
    shift = rank_shift(
        ["p"] * 3, [3, 2, 1], [1, 2, 3], rng=np.random.default_rng(0), n_resamples=10
    )
    table = shift.table.assign(response=["x", "y", "z"])
    (section,) = other_rewards_sections({"shift": table}, {"scalar": "pocket"})
    assert len(section.figures[0].data) == 3
    assert section.figures[0].layout.xaxis.ticktext[0] == "by pocket"
