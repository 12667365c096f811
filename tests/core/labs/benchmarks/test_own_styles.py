"""One's own pairs in three styles: each response thrice, what cannot be written counted."""

import pandas as pd

from core.labs.benchmarks import BENCHMARKS, BenchmarkOptions
from core.labs.benchmarks.own_styles import styled_candidates
from core.perturbations.styles import style_variants

GOOD = "Water boils at a lower temperature on a mountain. The air there presses less on it."
BAD = "Water boils at a higher temperature on a mountain. The sun there is much closer to it."
PROMPT = [{"role": "user", "content": "Does water boil sooner on a mountain?"}]


def pairs(*texts: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "pair_id": [f"pair{k}" for k in range(len(texts))],
            "prompt_id": [f"prompt{k}" for k in range(len(texts))],
            "prompt": [PROMPT for _ in texts],
            "chosen": [chosen for chosen, _, _ in texts],
            "rejected": [rejected for _, rejected, _ in texts],
            "topic": [topic for _, _, topic in texts],
        }
    )


def test_each_response_stands_there_in_three_styles_plainest_first():
    table, left_out = styled_candidates(pairs((GOOD, BAD, "physics")))
    assert left_out == {}
    assert table["side"].tolist() == ["chosen"] * 3 + ["rejected"] * 3
    assert table["place"].tolist() == [0, 1, 2] * 2
    written = style_variants(GOOD, PROMPT[0]["content"])
    assert table["response"].tolist()[:3] == [
        written.concise,
        written.detailed,
        written.markdown,
    ]


def test_a_pair_that_cannot_be_written_is_left_out_whole_and_counted():
    table, left_out = styled_candidates(pairs((GOOD, "", "a"), (GOOD, BAD, "b")))
    assert set(table["item_id"]) == {"pair1"}
    assert sum(left_out.values()) == 1
    assert "empty" in next(iter(left_out))


def test_a_scorer_of_length_wins_by_style_alone_in_every_part():
    table, _ = styled_candidates(pairs((GOOD, GOOD, "a"), (BAD, BAD, "b")), subset="topic")
    plan = BENCHMARKS["styles"].plan(table)
    rewards = [float(len(conversation[-1]["content"])) for conversation in plan.conversations()]
    result = BENCHMARKS["styles"].run(plan.scored(rewards), BenchmarkOptions())
    scores = result.scores.set_index(["level", "name", "metric"])["value"]
    for part in (("overall", "all"), ("subset", "a"), ("subset", "b")):
        assert scores[(*part, "easy")] == 1
        assert scores[(*part, "normal")] == 0  # the same text on both sides: a tie is no win
        assert scores[(*part, "hard")] == 0
