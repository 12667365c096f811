"""How likely a language model finds a reference answer after a reasoning trace.

A text is spliced from four parts, each tokenised on its own and joined as tokens:

    question (the chat prompt) | trace | bridge | reference

so no token straddles a boundary, whatever the texts, and the reference has the same tokens after
every trace. The reference stands on the bridge's own line, and the blank before it belongs to its
first token, as a model would write it; on a line of its own a reference in lower case would begin
with a token that hardly ever opens a line. Where the tokenizer makes the blank a token of its own,
as before digits, that token is read as the bridge's end and not scored: it says nothing about the
answer, and its high probability would raise every mean. Without reasoning the trace and the blank
lines before the bridge are left away.

All texts of a problem share its prompt, which is passed once (`LanguageModel.after`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import ConversationError
from core.models.language import FloatArray, LanguageModel, TokenReading
from core.models.sampling import Tokens
from core.problems import Problem, Trace, names

INSTRUCTION = "\n\nThink step by step. Then give the final answer alone on the last line."
BRIDGE = "\n\nFinal answer:"


@dataclass(frozen=True)
class Splice:
    """The texts around question, trace and reference.

    Attributes:
        instruction: follows the question in the user's turn.
        bridge: stands between trace and reference.
        blank: opens the reference and is tokenised with it; "" after a bridge that ends a line, or
            for a tokenizer that puts a blank before every text by itself.
    """

    instruction: str = INSTRUCTION
    bridge: str = BRIDGE
    blank: str = " "


@dataclass(frozen=True)
class ReferenceReading:
    """What the model thought of a reference's tokens.

    Attributes:
        text: the reference.
        pieces: (n,) the text of each token.
        log_probabilities: (n,) nats.
        entropies: (n,) nats, of the distribution each token was read against.
    """

    text: str
    pieces: tuple[str, ...]
    log_probabilities: FloatArray
    entropies: FloatArray


@dataclass(frozen=True)
class TraceReading:
    """One trace with every wording of the reference after it.

    Attributes:
        trace: the trace.
        references: one a wording, in the order asked for.
        n_tokens: of the trace.
        log_probabilities: (n_tokens,) nats, of the trace's own tokens.
        entropies: (n_tokens,) nats.
    """

    trace: Trace
    references: tuple[ReferenceReading, ...]
    n_tokens: int
    log_probabilities: FloatArray
    entropies: FloatArray


@dataclass(frozen=True)
class ProblemReading:
    """A problem with all its traces.

    Attributes:
        problem: the problem.
        without: the references without any reasoning, one a wording.
        traces: in the problem's order.
    """

    problem: Problem
    without: tuple[ReferenceReading, ...]
    traces: tuple[TraceReading, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a trace and wording: what the verifier-free lab is a function of."""
        return [
            {
                "problem_id": self.problem.problem_id,
                "domain": self.problem.domain,
                "trace_id": each.trace.trace_id,
                "correct": each.trace.correct,
                "wording": number,
                "reference": reference.text,
                "pieces": list(reference.pieces),
                "ref_log_probabilities": reference.log_probabilities.tolist(),
                "ref_log_probabilities_without": self.without[number].log_probabilities.tolist(),
                "ref_entropies": reference.entropies.tolist(),
                "n_trace_tokens": each.n_tokens,
                "entropy": float(each.entropies.mean()),
                "names_reference": names(each.trace.text, self.problem.reference),
                "error": "",
            }
            for each in self.traces
            for number, reference in enumerate(each.references)
        ]


@dataclass(frozen=True)
class SplicedTokens:
    """The parts of a problem as tokens; every text is a concatenation of them.

    Attributes:
        prompt: question with its instruction, up to where the answer begins.
        traces: of each trace.
        bridge: between trace and reference.
        bridge_without: stands in the place of trace and bridge where there is no reasoning.
        references: of each wording, with the blank before it.
    """

    prompt: Tokens
    traces: tuple[Tokens, ...]
    bridge: Tokens
    bridge_without: Tokens
    references: tuple[Tokens, ...]


def splice(
    model: LanguageModel,
    question: str,
    traces: Sequence[str],
    references: Sequence[str],
    how: Splice | None = None,
) -> SplicedTokens:
    """Tokenises each part on its own.

    A model without a chat template reads the question as it is, with a blank line after it.

    Raises:
        ConversationError: a trace or reference has no tokens, or the bridge is empty.
    """
    how = how or Splice()
    asked = question.strip() + how.instruction
    if model.tokenizer.chat_template:
        prompt = model.render([{"role": "user", "content": asked}])
    else:
        prompt = asked + "\n\n"
    parts = SplicedTokens(
        prompt=model.encode(prompt),
        traces=tuple(model.encode(text.strip()) for text in traces),
        bridge=model.encode(how.bridge),
        bridge_without=model.encode(how.bridge.lstrip()),
        references=tuple(
            model.encode(how.blank + text.strip()) if text.strip() else () for text in references
        ),
    )
    if not (parts.bridge and parts.bridge_without):
        raise ConversationError("The bridge between trace and reference is empty.")
    for what, given in (("trace", parts.traces), ("reference", parts.references)):
        for position, tokens in enumerate(given, start=1):
            if not tokens:
                raise ConversationError(f"The {what} number {position} is empty.")
    return parts


def read_problem(
    model: LanguageModel,
    problem: Problem,
    *,
    paraphrases: bool = False,
    how: Splice | None = None,
) -> ProblemReading:
    """Reads the reference after every trace and without reasoning.

    The prompt is passed once for all traces. With paraphrases each trace is passed once more for
    all of them together, with the prompt before it.

    Args:
        model: any causal language model.
        problem: the question, its reference and its traces.
        paraphrases: read these after every trace as well.
        how: the texts in between.

    Raises:
        ConversationError: a part is empty.
    """
    wordings = problem.wordings if paraphrases else problem.wordings[:1]
    parts = splice(model, problem.question, [trace.text for trace in problem.traces], wordings, how)
    first, *others = parts.references
    whole: list[tuple[Tokens, Tokens]] = [
        ((), (*trace, *parts.bridge, *first)) for trace in parts.traces
    ]
    bare = [(parts.bridge_without, tokens) for tokens in parts.references]
    readings = model.after(parts.prompt, [*whole, *bare])
    n = len(parts.traces)
    without = tuple(
        _reference(model, text, tokens, reading)
        for text, tokens, reading in zip(wordings, parts.references, readings[n:], strict=True)
    )
    traces = []
    for trace, tokens, reading in zip(problem.traces, parts.traces, readings[:n], strict=True):
        beginning = (*parts.prompt, *tokens, *parts.bridge)
        more = model.after(beginning, [((), other) for other in others])
        ends = [_cut(reading, len(tokens) + len(parts.bridge), None), *more]
        own = _cut(reading, 0, len(tokens))
        references = tuple(
            _reference(model, text, wording, end)
            for text, wording, end in zip(wordings, parts.references, ends, strict=True)
        )
        traces.append(
            TraceReading(trace, references, len(tokens), own.log_probabilities, own.entropies)
        )
    return ProblemReading(problem, without, tuple(traces))


Progress = Callable[[int, int], None]


def read_problems(
    model: LanguageModel,
    problems: Sequence[Problem],
    *,
    paraphrases: bool = False,
    how: Splice | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """The rows of several problems; a problem that cannot be read keeps rows that say why.

    Args:
        model: any causal language model.
        problems: as in `read_problem`.
        paraphrases: read these as well.
        how: the texts in between.
        progress: told how many problems are done, of how many; may raise to stop.
    """
    rows: list[dict[str, Any]] = []
    for number, problem in enumerate(problems, start=1):
        try:
            rows += read_problem(model, problem, paraphrases=paraphrases, how=how).rows()
        except ConversationError as error:
            rows += [_unread(problem, trace, str(error)) for trace in problem.traces]
        if progress is not None:
            progress(number, len(problems))
    return rows


def _unread(problem: Problem, trace: Trace, why: str) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "pieces": [],
        "ref_log_probabilities": [],
        "ref_log_probabilities_without": [],
    }
    return nothing | {
        "problem_id": problem.problem_id,
        "domain": problem.domain,
        "trace_id": trace.trace_id,
        "correct": trace.correct,
        "wording": 0,
        "reference": problem.reference,
        "ref_entropies": [],
        "n_trace_tokens": 0,
        "entropy": float("nan"),
        "names_reference": names(trace.text, problem.reference),
        "error": why,
    }


def _reference(
    model: LanguageModel, text: str, tokens: Tokens, reading: TokenReading
) -> ReferenceReading:
    """A reference's own tokens; a first one that is only the blank is no part of it."""
    pieces = _pieces(model, tokens)
    start = int(len(pieces) > 1 and pieces[0].isspace())
    own = _cut(reading, start, None)
    return ReferenceReading(text.strip(), pieces[start:], own.log_probabilities, own.entropies)


def _pieces(model: LanguageModel, tokens: Tokens) -> tuple[str, ...]:
    """The text each token adds; one that ends within a character adds it with the last of them."""
    pieces, before = [], ""
    for end in range(1, len(tokens) + 1):
        text = str(model.tokenizer.decode(list(tokens[:end])))
        grown = text.rstrip("\ufffd") if end < len(tokens) else text
        pieces.append(grown[len(before) :] if grown.startswith(before) else "")
        before = grown if grown.startswith(before) else before
    return tuple(pieces)


def _cut(reading: TokenReading, start: int, stop: int | None) -> TokenReading:
    return TokenReading(
        np.asarray(reading.log_probabilities[start:stop]), np.asarray(reading.entropies[start:stop])
    )
