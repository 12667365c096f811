"""Ablations: which texts are made, and what the paired changes say of analytic scorers."""

import math

import numpy as np
import pandas as pd
import pytest

from core.errors import PerturbationError
from core.labs.pairs import PAIR_TEXT_COLUMNS
from core.labs.prompt_awareness import ablations
from core.labs.prompt_awareness.ablations import ORIGINAL, REMOVE_QUESTION, AblationOptions
from core.schema import Message
from tests.core.labs.prompt_awareness.analytic import noise, scored

SOLUTION = (
    "First, add the {a} apples to the {b} pears, which makes {c} fruits. "
    "Then divide the {c} fruits by 2, which makes {d} fruits each. "
    "So each of the two children gets {d} fruits in the end."
)


def maths_pairs(n: int = 12) -> pd.DataFrame:
    rows = []
    for at in range(n):
        a, b = 4 + 2 * at, 10 + 4 * at
        solution = SOLUTION.format(a=a, b=b, c=a + b, d=(a + b) // 2)
        question = f"Two children share {a} apples and {b} pears. How many fruits does each get?"
        rows.append(
            {
                "pair_id": f"m{at}", "prompt_id": f"q{at}",
                "prompt": [{"role": "user", "content": question}],
                "chosen": solution, "rejected": "I do not know.",
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(PAIR_TEXT_COLUMNS))


def test_every_ablation_applies_to_worked_solutions() -> None:
    plan = ablations.plan(maths_pairs(4))
    counts = plan.requests["ablation"].value_counts()
    assert set(counts.index) == {ORIGINAL, *ablations.DEFAULT_ABLATIONS}
    assert (counts == 4).all()
    assert plan.left_out == {}


def test_ablations_change_what_they_say_and_nothing_else() -> None:
    requests = ablations.plan(maths_pairs(3)).requests.set_index(["pair_id", "ablation"])
    for pair in ("m0", "m1", "m2"):
        original = requests.loc[(pair, ORIGINAL), "conversation"]
        for name in ablations.DEFAULT_ABLATIONS:
            question, answer = requests.loc[(pair, name), "conversation"]
            in_prompt = name in ablations.PROMPT_ABLATIONS
            assert (question != original[0]) == in_prompt
            assert (answer != original[1]) == (not in_prompt)
        assert requests.loc[(pair, REMOVE_QUESTION), "conversation"][0]["content"] == ""
        swapped = requests.loc[(pair, "swap-steps"), "conversation"][1]["content"]
        assert sorted(swapped) == sorted(original[1]["content"])


def test_edits_with_nothing_to_work_on_are_counted() -> None:
    pairs = maths_pairs(2)
    plan = ablations.plan(pairs, AblationOptions(("wrong-number", "truncate"), sides=("rejected",)))
    assert set(plan.requests["ablation"]) == {ORIGINAL}
    assert sum(plan.left_out.values()) == 4
    assert all(reason.startswith(("wrong-number: ", "truncate: ")) for reason in plan.left_out)


def test_an_unknown_ablation_or_side_is_refused() -> None:
    with pytest.raises(PerturbationError, match="no perturbation named 'drop-words'"):
        ablations.plan(maths_pairs(1), AblationOptions(("drop-words",)))
    with pytest.raises(ValueError, match="Sides must be"):
        AblationOptions(sides=("left",))


def looks_consistent(prompt: list[Message], response: str) -> float:
    """Never reads the question; every number that is not the planned one costs."""
    return 2.0 * response.count("which makes") + 0.1 * noise(response)


def reads_question(prompt: list[Message], response: str) -> float:
    """Pays for a question and nothing for the solution."""
    return 3.0 * bool(prompt[0]["content"]) + 0.1 * noise(prompt[0]["content"], response)


def test_a_scorer_of_consistency_keeps_its_reward_without_the_question() -> None:
    result = ablations.run(scored(ablations.plan(maths_pairs()), looks_consistent))
    question = result.effects[REMOVE_QUESTION, "chosen"]
    assert question.change.estimate.value == 0
    assert question.adjusted_p == 1
    step = result.effects["drop-step", "chosen"]
    assert step.change.estimate.value == pytest.approx(-2, abs=0.15)
    assert step.change.estimate.high < 0
    assert step.adjusted_p < 0.01
    assert step.drop_rate.estimate.value == 1
    assert step.beyond_question is not None
    assert step.beyond_question.estimate.low > 0
    assert question.beyond_question is None


def test_a_scorer_that_reads_the_question_loses_most_without_it() -> None:
    result = ablations.run(scored(ablations.plan(maths_pairs()), reads_question))
    assert result.effects[REMOVE_QUESTION, "chosen"].change.estimate.high < -2.5
    for name in ("wrong-number", "drop-step", "swap-steps", "drop-sentence", "truncate"):
        beyond = result.effects[name, "chosen"].beyond_question
        assert beyond is not None
        assert beyond.estimate.high < 0


def test_changes_are_paired_with_the_unedited_reward() -> None:
    table = scored(ablations.plan(maths_pairs(5)), looks_consistent)
    result = ablations.run(table)
    reward = table.set_index(["pair_id", "ablation"])["reward"]
    for row in result.changes.itertuples():
        expected = reward[row.pair_id, row.ablation] - reward[row.pair_id, ORIGINAL]
        assert row.change == pytest.approx(expected)
    spread = np.std([reward[f"m{at}", ORIGINAL] for at in range(5)], ddof=1)
    effect = result.effects["truncate", "chosen"]
    assert effect.in_spreads.estimate.value == pytest.approx(effect.change.estimate.value / spread)
    assert effect.change.smallest_detectable > 0


def test_failed_rewards_are_counted_and_sink_nothing_else() -> None:
    table = scored(ablations.plan(maths_pairs(6)), looks_consistent)
    table.loc[(table["pair_id"] == "m0") & (table["ablation"] == ORIGINAL), "reward"] = np.nan
    lost = (table["pair_id"] == "m1") & (table["ablation"] == "truncate")
    table.loc[lost, ["reward", "error"]] = [np.nan, "too long"]
    result = ablations.run(table)
    truncated = result.effects["truncate", "chosen"].change.estimate
    assert truncated.n == 4
    assert truncated.left_out == {"unedited response: no reward": 1, "too long": 1}
    assert result.effects["drop-step", "chosen"].change.estimate.n == 5
    assert result.left_out["truncate: too long"] == 1


def test_both_sides_are_kept_apart() -> None:
    options = AblationOptions((REMOVE_QUESTION,), sides=("chosen", "rejected"))
    result = ablations.run(scored(ablations.plan(maths_pairs(5), options), reads_question), options)
    assert set(result.effects) == {(REMOVE_QUESTION, "chosen"), (REMOVE_QUESTION, "rejected")}
    assert result.table()["side"].tolist() == ["chosen", "rejected"]
    assert result.table()["change"].to_numpy() == pytest.approx(-3, abs=0.3)


def test_equal_rewards_have_changes_but_no_spread() -> None:
    result = ablations.run(scored(ablations.plan(maths_pairs(4)), lambda p, r: 1.0))
    effect = result.effects["truncate", "chosen"]
    assert effect.change.estimate.value == 0
    assert math.isnan(effect.in_spreads.estimate.value)
    assert effect.drop_rate.estimate.value == 0.5


def test_nothing_scored_gives_an_empty_result() -> None:
    result = ablations.run(scored(ablations.plan(maths_pairs(0)), looks_consistent))
    assert result.effects == {}
    assert result.table().empty
