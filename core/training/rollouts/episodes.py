"""A whole response to a problem, with or without tool calls, and how it was judged."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from transformers import LlamaForCausalLM

from core.sandbox import Execution, Sandbox
from core.training.rollouts import tokens
from core.training.rollouts.calculator import CALCULATOR, MAX_CALLS
from core.training.rollouts.problems import Problem
from core.training.rollouts.sampling import Continuation, continuations
from core.training.rollouts.tasks import ALL_TASKS

RESPONSE_TOKENS = 12
CALL_TOKENS = 24


@dataclass(frozen=True)
class Episode:
    """One sampled response.

    Attributes:
        problem: what it answers.
        ids: tokens of the response, a tool's included.
        own: 1 for a token of the policy, 0 for one of a tool's response.
        answer: the final answer; None where none could be read.
        score: of the answer, 0..1.
        log_probability: nats, summed over the policy's own tokens.
        entropy: mean nats per own token.
        tool_calls: programs run.
        tool_errors: how many of them failed.
        answer_tags: opening answer tags.
        truncated: it was cut at a limit.
    """

    problem: Problem
    ids: list[int]
    own: list[int]
    answer: str | None
    score: float
    log_probability: float
    entropy: float
    tool_calls: int = 0
    tool_errors: int = 0
    answer_tags: int = 0
    truncated: bool = False

    @property
    def text(self) -> str:
        """The response as text."""
        return tokens.decode(self.ids)

    @property
    def correct(self) -> bool:
        """Whether the answer got the full score."""
        return self.score >= 1.0


@dataclass(frozen=True)
class _Draft:
    """A response while it is drawn."""

    problem: Problem
    ids: list[int] = field(default_factory=list)
    own: list[int] = field(default_factory=list)
    log_probability: float = 0.0
    entropy: float = 0.0
    tool_calls: int = 0
    tool_errors: int = 0
    done: bool = False
    truncated: bool = False

    def written(self, more: Continuation) -> "_Draft":
        ended = not more.ended or more.ids[-1] == tokens.EOS_ID
        return replace(
            self,
            ids=self.ids + more.ids,
            own=self.own + [1] * len(more.ids),
            log_probability=self.log_probability + more.log_probability,
            entropy=self.entropy + more.entropy,
            done=ended,
            truncated=not more.ended,
        )

    def told(self, response: str, failed: bool) -> "_Draft":
        ids = tokens.encode(f"{tokens.RESPONSE}{response}{tokens.END_RESPONSE}")
        return replace(
            self,
            ids=self.ids + ids,
            own=self.own + [0] * len(ids),
            tool_calls=self.tool_calls + 1,
            tool_errors=self.tool_errors + int(failed),
        )

    def cut(self) -> "_Draft":
        return replace(self, done=True, truncated=True)


Draw = Callable[[LlamaForCausalLM, Sequence[Problem], torch.Generator, float], list[Episode]]
"""Draws one response to each problem: policy, problems, randomness, temperature."""


def answer_directly(
    policy: LlamaForCausalLM,
    problems: Sequence[Problem],
    generator: torch.Generator,
    temperature: float = 1.0,
) -> list[Episode]:
    """One response to each problem, which is its answer and nothing else."""
    drafts = [_Draft(problem) for problem in problems]
    return [
        _judged(draft, tokens.decode(draft.ids) or None)
        for draft in _continued(policy, drafts, generator, temperature, RESPONSE_TOKENS, [])
    ]


class ToolUser:
    """Draws responses that call a calculator, running each program in the sandbox.

    The same program gives the same result, so each text is run once.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._known: dict[str, Execution] = {}

    def __call__(
        self,
        policy: LlamaForCausalLM,
        problems: Sequence[Problem],
        generator: torch.Generator,
        temperature: float = 1.0,
    ) -> list[Episode]:
        """One response to each problem."""
        drafts = [_Draft(problem) for problem in problems]
        for _ in range(MAX_CALLS + 1):
            waiting = [number for number, draft in enumerate(drafts) if not draft.done]
            if not waiting:
                break
            more = _continued(
                policy,
                [drafts[number] for number in waiting],
                generator,
                temperature,
                CALL_TOKENS,
                [tokens.END_CALL_ID],
            )
            for number, draft in zip(waiting, self._answered(more), strict=True):
                drafts[number] = draft
        return [_judged(draft, _boxed(tokens.decode(draft.ids))) for draft in drafts]

    def _answered(self, drafts: list[_Draft]) -> list[_Draft]:
        """Those that called the tool, with its response; cut where they call it too often."""
        calls = [None if draft.done else _program(tokens.decode(draft.ids)) for draft in drafts]
        new = list(dict.fromkeys(call for call in calls if call and call not in self._known))
        self._known.update(zip(new, self._sandbox.run_many(new), strict=True))
        answered = []
        for draft, call in zip(drafts, calls, strict=True):
            if draft.done:
                answered.append(draft)
            elif draft.tool_calls >= MAX_CALLS:
                answered.append(draft.cut())
            else:
                told, failed = tool_response(self._known[call]) if call else _EMPTY
                answered.append(draft.told(told, failed))
        return answered


_EMPTY = ("SyntaxError: error", True)


def tool_response(execution: Execution) -> tuple[str, bool]:
    """What the policy is told of a program's end, in its alphabet, and whether it failed."""
    if execution.kind == "timeout":
        return "Timeout: error", True
    if execution.kind == "ok":
        printed = execution.output.strip()
        if 0 < len(printed) <= RESPONSE_TOKENS and set(printed) <= set(tokens.CHARACTERS):
            return printed, False
        return "Other: error", True
    name = f"{(execution.error or 'Other').split(':')[0].strip()}: error"
    return (name if name in tokens.ERRORS else "Other: error"), True


def _continued(
    policy: LlamaForCausalLM,
    drafts: Sequence[_Draft],
    generator: torch.Generator,
    temperature: float,
    most: int,
    stops: Sequence[int],
) -> list[_Draft]:
    prefixes = [[tokens.BOS_ID, *tokens.encode(each.problem.prompt), *each.ids] for each in drafts]
    more = continuations(
        policy,
        prefixes,
        max_new_tokens=most,
        generator=generator,
        end_ids=(tokens.EOS_ID, *stops),
        temperature=temperature,
    )
    return [draft.written(each) for draft, each in zip(drafts, more, strict=True)]


def _program(text: str) -> str:
    """The last program called for."""
    return (
        text.rsplit(tokens.CALL, 1)[-1].removesuffix(tokens.END_CALL) if tokens.CALL in text else ""
    )


def _boxed(text: str) -> str | None:
    """What stands in the last answer tag that is closed."""
    if tokens.ANSWER not in text:
        return None
    inside, closed, _ = text.rsplit(tokens.ANSWER, 1)[-1].partition(tokens.END_ANSWER)
    return inside if closed else None


def _judged(draft: _Draft, answer: str | None) -> Episode:
    score = (
        ALL_TASKS[draft.problem.task].score(draft.problem, answer) if answer is not None else 0.0
    )
    return Episode(
        problem=draft.problem,
        ids=draft.ids,
        own=draft.own,
        answer=answer,
        score=0.0 if draft.truncated else score,
        log_probability=draft.log_probability,
        entropy=draft.entropy / max(1, sum(draft.own)),
        tool_calls=draft.tool_calls,
        tool_errors=draft.tool_errors,
        answer_tags=tokens.decode(draft.ids).count(tokens.ANSWER),
        truncated=draft.truncated,
    )


def uses_tools(problems: Sequence[Problem]) -> bool:
    """Whether any of the problems is one for the calculator."""
    return any(problem.task == CALCULATOR.name for problem in problems)
