from collections.abc import Sequence
from typing import Any

import pytest
import torch

from core.sandbox import Sandbox
from core.training.rollouts import episodes, tokens
from core.training.rollouts.episodes import ToolUser, answer_directly
from core.training.rollouts.problems import Problem
from core.training.rollouts.sampling import Continuation

PROBLEM = Problem("calculator", "(1+2)*3=", "9")


class Script:
    """Says what it is told to, turn by turn, in place of a policy that would have to be trained."""

    def __init__(self, turns: Sequence[str]) -> None:
        self.turns = list(turns)
        self.prefixes: list[str] = []

    def __call__(self, _policy: Any, prefixes: Sequence[list[int]], **_: Any) -> list[Continuation]:
        self.prefixes.append(tokens.decode(prefixes[0]))
        ids = tokens.encode(self.turns.pop(0))
        if ids[-1] != tokens.END_CALL_ID:
            ids.append(tokens.EOS_ID)
        return [Continuation(ids, -0.5, 1.0, ended=True)]


def told(monkeypatch: pytest.MonkeyPatch, *turns: str) -> tuple[episodes.Episode, Script]:
    script = Script(turns)
    monkeypatch.setattr(episodes, "continuations", script)
    with Sandbox(seconds=2.0) as sandbox:
        drawn = ToolUser(sandbox)(None, [PROBLEM], torch.Generator())  # type: ignore[arg-type]
    return drawn[0], script


def call(program: str) -> str:
    return f"{tokens.CALL}{program}{tokens.END_CALL}"


def answer(text: str) -> str:
    return f"{tokens.ANSWER}{text}{tokens.END_ANSWER}"


def test_a_program_is_run_and_its_result_is_read_before_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    episode, script = told(monkeypatch, call("(1+2)*3"), answer("9"))
    assert script.prefixes[1].endswith("<tool_response>9</tool_response>")
    assert (episode.answer, episode.correct) == ("9", True)
    assert (episode.tool_calls, episode.tool_errors, episode.answer_tags) == (1, 0, 1)
    assert episode.log_probability == -1.0
    assert len(episode.ids) == len(episode.own)
    # tags and text of the tool: <tool_response>, 9, </tool_response>
    assert episode.own.count(0) == 3


def test_a_failed_program_is_counted_and_the_answer_may_still_be_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    episode, script = told(monkeypatch, call("(1+2*3"), call("(1+2)*3"), answer("9"))
    assert "SyntaxError: error" in script.prefixes[1]
    assert (episode.correct, episode.tool_calls, episode.tool_errors) == (True, 2, 1)


def test_too_many_calls_cut_the_response_and_score_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    episode, _ = told(monkeypatch, *[call("(1+2")] * 4)
    assert episode.truncated
    assert (episode.answer, episode.score, episode.tool_calls) == (None, 0.0, 3)


def test_an_answer_whose_tag_is_not_closed_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    episode, _ = told(monkeypatch, f"{tokens.ANSWER}9")
    assert episode.answer is None
    assert not episode.correct


def test_a_direct_answer_is_the_whole_response(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodes, "continuations", Script(["46"]))
    problem = Problem("sum-2", "12+34=", "46")
    (episode,) = answer_directly(None, [problem], torch.Generator())  # type: ignore[arg-type]
    assert (episode.text, episode.answer, episode.score) == ("46", "46", 1.0)
    assert episode.entropy == pytest.approx(1.0 / 3)  # over two digits and the end
