"""The pairs self-rewarding builds: the rule by hand, and against a slow second way."""

import numpy as np
import pandas as pd
import pytest

from core.errors import TableError
from core.labs.self_rewarding import pairs as rule
from core.labs.self_rewarding.pairs import build_pairs


def generations(**scores: list[float]) -> pd.DataFrame:
    """One problem: `Mi=[3, 4]` are the judge's scores of samples 0 and 1 of the current model."""
    return pd.DataFrame(
        [
            {"problem_id": "p", "source": source, "sample": sample, "judge_score": score}
            for source, values in scores.items()
            for sample, score in enumerate(values)
        ],
        columns=list(rule.GENERATION_COLUMNS),
    )


def only(built: rule.BuiltPairs) -> dict[str, object]:
    assert len(built.pairs) == 1
    return built.pairs.iloc[0].to_dict()


def test_anchor_takes_the_first_models_worst_sample() -> None:
    table = generations(Mi=[3, 4, 4.5, 5], M0=[1, 2, 2.5, 3])

    anchored = only(build_pairs(table, anchored=True, future=False))
    classic = only(build_pairs(table, anchored=False, future=False))

    assert anchored == {
        "problem_id": "p",
        "chosen_sample": 3,
        "chosen_source": "Mi",
        "rejected_sample": 0,
        "rejected_source": "M0",
        "judge_chosen": 5.0,
        "judge_rejected": 1.0,
        "gap": 4.0,
    }
    assert (classic["rejected_source"], classic["gap"]) == ("Mi", 2.0)


@pytest.mark.parametrize("worst", [3.0, 3.5])
def test_anchor_is_not_used_unless_strictly_worse(worst: float) -> None:
    built = build_pairs(generations(Mi=[3, 5], M0=[worst, 9]), anchored=True, future=False)

    assert only(built)["rejected_source"] == "Mi"


@pytest.mark.parametrize(("best", "source"), [(5.0, "Mi"), (5.5, "Mf")])
def test_future_sample_replaces_the_chosen_only_when_strictly_better(
    best: float, source: str
) -> None:
    table = generations(Mi=[3, 5], Mf=[0, best])

    assert only(build_pairs(table, anchored=False, future=True))["chosen_source"] == source
    assert only(build_pairs(table, anchored=False, future=False))["chosen_source"] == "Mi"


def test_future_does_not_bring_back_a_problem_without_a_first_pair() -> None:
    built = build_pairs(generations(Mi=[3, 3], Mf=[5]), anchored=False, future=True)

    assert built.pairs.empty
    assert built.left_out == {rule.NO_GAP: 1}
    assert list(built.pairs.columns) == list(rule.PAIR_COLUMNS)


def test_ties_are_dropped_taken_first_or_drawn() -> None:
    table = generations(Mi=[1, 5, 5, 5])

    assert build_pairs(table, anchored=False, future=False).left_out == {rule.TIED: 1}
    first = build_pairs(table, anchored=False, future=False, ties="first")
    assert only(first)["chosen_sample"] == 1
    many = pd.concat([table.assign(problem_id=f"p{i}") for i in range(300)])
    drawn = build_pairs(many, anchored=False, future=False, ties="random", rng=0).pairs
    counts = np.bincount(drawn["chosen_sample"], minlength=4)
    assert counts[0] == 0
    assert (counts[1:] > 60).all()


def test_same_seed_draws_the_same_pairs() -> None:
    table = generations(Mi=[1, 1, 5, 5, 5])

    one, two = (
        build_pairs(table, anchored=False, future=False, ties="random", rng=3) for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.pairs, two.pairs)


def test_random_ties_need_a_seed() -> None:
    with pytest.raises(ValueError, match="needs `rng`"):
        build_pairs(generations(Mi=[1, 2]), anchored=False, future=False, ties="random")
    with pytest.raises(ValueError, match="last"):
        build_pairs(generations(Mi=[1, 2]), anchored=False, future=False, ties="last")  # type: ignore[arg-type]


def test_identical_texts_are_no_tie() -> None:
    table = generations(Mi=[1, 5, 5])

    same = build_pairs(table.assign(response=["bad", "good", "good"]), anchored=False, future=False)
    unknown = build_pairs(table.assign(response=["bad", None, None]), anchored=False, future=False)

    assert only(same)["chosen_sample"] == 1
    assert unknown.left_out == {rule.TIED: 1}


def test_a_tie_that_the_future_sample_replaces_is_no_tie() -> None:
    built = build_pairs(generations(Mi=[1, 5, 5], Mf=[6]), anchored=False, future=True)

    assert only(built)["chosen_source"] == "Mf"


def test_damaged_samples_are_counted_not_used() -> None:
    table = pd.concat(
        [
            generations(Mi=[1, 2, np.nan, np.inf]),
            generations(Mi=[9]),  # sample 0 of p once more
            generations(M0=[4]).assign(problem_id="q"),
        ]
    )

    built = build_pairs(table, anchored=True, future=True)

    assert only(built)["judge_chosen"] == 2.0
    assert (built.n_problems, built.unscored, built.duplicated) == (2, 2, 1)
    assert built.left_out == {rule.NO_CURRENT: 1}
    assert (built.without_first, built.without_future) == (1, 2)
    assert built.kept == 0.5


def test_one_sample_makes_no_pair_by_itself_but_one_with_an_anchor() -> None:
    table = generations(Mi=[3], M0=[1])

    assert build_pairs(table, anchored=False, future=False).left_out == {rule.NO_GAP: 1}
    assert only(build_pairs(table, anchored=True, future=False))["gap"] == 2.0


def test_no_generations_make_no_pairs() -> None:
    built = build_pairs(generations(), anchored=True, future=True)

    assert (built.n_problems, len(built.pairs), built.left_out) == (0, 0, {})
    assert np.isnan(built.kept)


def test_missing_column_and_unknown_source_are_named() -> None:
    with pytest.raises(TableError, match="'judge_score'"):
        build_pairs(generations(Mi=[1]).drop(columns="judge_score"), anchored=True, future=True)
    with pytest.raises(TableError, match="'M9'"):
        build_pairs(generations(M9=[1]), anchored=True, future=True)


@pytest.mark.parametrize("seed", range(20))
def test_rule_agrees_with_looking_at_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = pd.concat(
        generations(
            **{
                source: [float(value) for value in rng.integers(0, 6, size=rng.integers(1, 5))]
                for source in rule.SOURCES
                if rng.random() < 0.9
            }
        ).assign(problem_id=problem)
        for problem in "abcdefgh"
    )
    for anchored in (False, True):
        for future in (False, True):
            built = build_pairs(table, anchored=anchored, future=future, ties="first")
            found = built.pairs.set_index("problem_id")[["judge_chosen", "judge_rejected"]]
            assert found.T.to_dict("list") == slowly(table, anchored, future)


def slowly(table: pd.DataFrame, anchored: bool, future: bool) -> dict[str, list[float]]:
    """Best and worst score of each problem by the words of the rule."""
    pairs = {}
    for problem, rows in table.groupby("problem_id"):
        of = {
            source: list(rows.loc[rows.source == source, "judge_score"]) for source in rule.SOURCES
        }
        if not of["Mi"]:
            continue
        high, low = max(of["Mi"]), min(of["Mi"] + (of["M0"] if anchored else []))
        if high <= low:
            continue
        pairs[str(problem)] = [max([high] + (of["Mf"] if future else [])), low]
    return pairs
