"""The frontier on a table with a planted trade-off, and on one without."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.diversity import frontier
from core.labs.diversity.readings import frontier_reading
from core.labs.diversity.similarity import prepare

COLD, WARM, HOT = 0.2, 0.8, 1.2


def table(answers_at, rewards_at, n_problems=4):
    rows = []
    for level in answers_at:
        for problem in range(n_problems):
            for sample, answer in enumerate(answers_at[level]):
                rows.append(
                    {
                        "run": f"t-{level}",
                        "step": 0,
                        "problem_id": f"p{problem}",
                        "sample": sample,
                        "response": f"{answer}",
                        "answer": answer,
                        "reward": rewards_at[level] + 0.1 * problem,
                        "temperature": level,
                    }
                )
    return prepare(pd.DataFrame(rows), "exact")


def test_each_level_has_its_own_quality_and_diversity():
    found = frontier.run(
        table({COLD: "AAAA", HOT: "ABCD"}, {COLD: 1.0, HOT: 0.5}), "temperature", threshold=0.5
    )
    assert found.value(COLD, "quality").value == pytest.approx(1.15)
    assert found.value(HOT, "quality").value == pytest.approx(0.65)
    assert found.value(COLD, "distinct_at_k").value == pytest.approx(1)
    assert found.value(HOT, "vendi").value == pytest.approx(4)
    assert found.k == 4
    assert found.dominated == ()
    quality = found.value(COLD, "quality")
    assert quality.low < quality.value < quality.high
    assert quality.n_prompts == 4


def test_differences_are_paired_by_problem():
    found = frontier.run(
        table({COLD: "AAAA", HOT: "ABCD"}, {COLD: 1.0, HOT: 0.5}), "temperature", threshold=0.5
    )
    change = found.differences.set_index(["level", "measure"])
    # Problems differ by 0.1 from one to the next, but each loses exactly one half.
    assert change.loc[(HOT, "quality"), "value"] == pytest.approx(-0.5)
    assert change.loc[(HOT, "quality"), "high"] == pytest.approx(-0.5)
    assert change.loc[(HOT, "distinct_at_k"), "value"] == pytest.approx(3)


def test_a_level_that_is_worse_in_both_is_dominated():
    found = frontier.run(
        table({COLD: "AABB", WARM: "ABCD", HOT: "AAAA"}, {COLD: 1, WARM: 2, HOT: 3}),
        "temperature", threshold=0.5,
    )  # fmt: skip
    assert found.dominated == (COLD,)


def test_diversity_at_its_limit_does_not_excuse_less_quality():
    found = frontier.run(
        table({COLD: "AABB", WARM: "ABCD", HOT: "ABCD"}, {COLD: 3, WARM: 2, HOT: 1}),
        "temperature", threshold=0.5,
    )  # fmt: skip
    assert found.dominated == (HOT,)
    assert f"{HOT:g} buys nothing" in frontier_reading(found)
    assert "different responses among 4 rises" in frontier_reading(found)


def test_equal_points_do_not_beat_each_other():
    same = table({COLD: "ABCD", HOT: "ABCD"}, {COLD: 1, HOT: 1})
    assert frontier.run(same, "temperature", threshold=0.5).dominated == ()


def test_k_makes_groups_of_different_sizes_comparable():
    both = table({COLD: "ABAB", HOT: "ABABABAB"}, {COLD: 1, HOT: 1})
    found = frontier.run(both, "temperature", threshold=0.5, k=2)
    # Of 4 samples, two each: different with chance 4/6; of 8 samples, 16/28.
    assert found.value(COLD, "distinct_at_k").value == pytest.approx(1 + 4 / 6)
    assert found.value(HOT, "distinct_at_k").value == pytest.approx(1 + 16 / 28)
    assert frontier.run(both, "temperature", threshold=0.5).k == 4


def test_groups_smaller_than_k_are_counted():
    both = table({COLD: "AB", HOT: "ABCD"}, {COLD: 1, HOT: 1})
    found = frontier.run(both, "temperature", threshold=0.5, k=4)
    assert found.left_out == {frontier.TOO_FEW: 4}
    assert np.isnan(found.value(COLD, "distinct_at_k").value)


def test_what_is_not_there_is_said():
    both = table({COLD: "AB"}, {COLD: 1})
    with pytest.raises(TableError, match="no column"):
        frontier.run(both, "method", threshold=0.5)
    single = table({COLD: "A"}, {COLD: 1})
    with pytest.raises(TableError, match="No group"):
        frontier.run(single, "temperature", threshold=0.5)
