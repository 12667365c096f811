"""What passing a problem's prompt once saves when its traces and references are read.

`python -m benchmarks.likelihood` reads the authored problems with the embedded model three ways, in
turns: the shared prompt passed once (`LanguageModel.after`), all texts of a problem in one padded
batch, and each text alone. The prompts of the authored problems are short; with `--prompt-tokens`
further questions are put before each, so that the prompt has about so many tokens.
"""

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.measure import interleave, median, paired_ratio
from core.models.card import EmbeddedSource
from core.models.language import LanguageModel, load_language_model
from core.models.likelihood import SplicedTokens, splice
from core.models.sampling import Tokens
from core.problem_scores import EMBEDDED
from core.problems import Problem, authored_problems

REUSE, BATCH, ALONE = "prompt passed once", "one padded batch", "each text alone"


def texts_of(
    model: LanguageModel, problem: Problem, *, prompt_tokens: int, traces: int
) -> SplicedTokens:
    """A problem's parts, the prompt made longer by further questions where asked for."""
    question = problem.question
    others = [each.question for each in authored_problems() if each is not problem]
    while len(model.encode(question)) < prompt_tokens and others:
        question = f"{others.pop(0)}\n\n{question}"
    written = [trace.text for trace in problem.traces]
    repeated = [written[number % len(written)] for number in range(traces)]
    return splice(model, question, repeated, [problem.reference])


def continuations(parts: SplicedTokens) -> list[tuple[Tokens, Tokens]]:
    """What follows the prompt, as `LanguageModel.after` takes it."""
    (reference,) = parts.references
    return [
        *(((*trace, *parts.bridge), reference) for trace in parts.traces),
        (parts.bridge_without, reference),
    ]


def by_reuse(model: LanguageModel, problems: Sequence[SplicedTokens]) -> list[float]:
    """Sums of log-probabilities with the prompt passed once."""
    return [
        float(reading.log_probabilities.sum())
        for parts in problems
        for reading in model.after(parts.prompt, continuations(parts))
    ]


def by_batch(model: LanguageModel, problems: Sequence[SplicedTokens]) -> list[float]:
    """The same with whole texts, those of a problem in one batch."""
    found = []
    for parts in problems:
        pairs = continuations(parts)
        prefixes = [(*parts.prompt, *between) for between, _ in pairs]
        readings = model.read(prefixes, [target for _, target in pairs])
        found += [float(reading.log_probabilities.sum()) for reading in readings]
    return found


def one_by_one(model: LanguageModel, problems: Sequence[SplicedTokens]) -> list[float]:
    """The same with whole texts, one at a time."""
    return [
        float(model.read([(*parts.prompt, *between)], [target])[0].log_probabilities.sum())
        for parts in problems
        for between, target in continuations(parts)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=4, help="authored problems (4)")
    parser.add_argument("--traces", type=int, default=8, help="traces of each (8)")
    parser.add_argument(
        "--prompt-tokens", type=int, default=0, help="length of the prompt at least"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds, in turns (5)")
    options = parser.parse_args(arguments)
    source = EmbeddedSource(kind="embedded", name=EMBEDDED)
    model = load_language_model(source, dtype="float32", device="cpu")
    problems = [
        texts_of(model, problem, prompt_tokens=options.prompt_tokens, traces=options.traces)
        for problem in authored_problems()[: options.problems]
    ]
    values: dict[str, list[float]] = {}
    ways = {REUSE: by_reuse, BATCH: by_batch, ALONE: one_by_one}
    sides = {
        name: lambda name=name, way=way: values.__setitem__(name, way(model, problems))
        for name, way in ways.items()
    }
    interleave(sides, 1)
    seconds = interleave(sides, options.rounds)
    read = sum(len(p.prompt) + sum(len(b) + len(t) for b, t in continuations(p)) for p in problems)
    whole = sum(sum(len(p.prompt) + len(b) + len(t) for b, t in continuations(p)) for p in problems)
    print(
        f"{len(problems)} problems, {options.traces} traces each and one text without, prompts of "
        f"{np.mean([len(p.prompt) for p in problems]):.0f} tokens, "
        f"{torch.get_num_threads()} threads"
    )
    print(f"tokens passed: {read:,} of {whole:,}, {whole / read:.2f} times fewer")
    for name, took in seconds.items():
        ratio = paired_ratio(took, seconds[REUSE])
        gap = max(abs(a - b) for a, b in zip(values[name], values[REUSE], strict=True))
        print(
            f"{name:20s} median {median(took):6.2f} s, reuse is {ratio:4.2f} times as fast, "
            f"sums differ by at most {gap:.1e} nats"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
