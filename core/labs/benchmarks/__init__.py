"""Public benchmarks of reward models, scored as their authors score them, and any pair table.

One module a benchmark: `plan(table, options)` gives the conversations, `run(scored, options)` the
result. A benchmark of which something is missing has no overall score under its official name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from core.labs.benchmarks import (
    llmbar,
    pairs,
    ppe,
    reward_bench,
    reward_bench_2,
    rm_bench,
    style_matrix,
)
from core.labs.benchmarks.pairs import PairOptions
from core.labs.benchmarks.results import SCORE_COLUMNS, BenchmarkOptions, BenchmarkResult
from core.labs.benchmarks.style_matrix import StyleMatrixOptions
from core.labs.plan import Plan


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: what it is called in commands and links.
        title: its name in full.
        question: what it asks of a reward model.
        paper: where it is described.
        plan: from its candidates table to the conversations.
        run: from the scored plan to the result.
    """

    name: str
    title: str
    question: str
    paper: str
    plan: Callable[[pd.DataFrame], Plan]
    run: Callable[[pd.DataFrame, BenchmarkOptions], BenchmarkResult]


def _style_options(options: BenchmarkOptions) -> StyleMatrixOptions:
    return StyleMatrixOptions(options.seed, options.confidence, options.n_resamples)


def _pair_options(options: BenchmarkOptions) -> PairOptions:
    if isinstance(options, PairOptions):
        return options
    return PairOptions(options.seed, options.confidence, options.n_resamples)


BENCHMARKS: Mapping[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            "rm-bench",
            rm_bench.TITLE,
            "Does it see a subtle error behind the style?",
            "arXiv 2410.16184",
            rm_bench.plan,
            lambda scored, options: rm_bench.run(scored, _style_options(options)),
        ),
        Benchmark(
            "llmbar",
            llmbar.TITLE,
            "Does it prefer the response that follows the instruction?",
            "arXiv 2310.07641",
            llmbar.plan,
            llmbar.run,
        ),
        Benchmark(
            "rewardbench",
            reward_bench.TITLE,
            "Does it prefer the better of two responses in chat, safety and reasoning?",
            "arXiv 2403.13787",
            reward_bench.plan,
            reward_bench.run,
        ),
        Benchmark(
            "rewardbench2",
            reward_bench_2.TITLE,
            "Does it find the best of four responses, and value right answers alike?",
            "arXiv 2506.01937",
            reward_bench_2.plan,
            reward_bench_2.run,
        ),
        Benchmark(
            "ppe",
            ppe.TITLE,
            "Does it choose as people do, and find the correct one of many samples?",
            "arXiv 2410.14872",
            ppe.plan,
            ppe.run,
        ),
        Benchmark(
            "pairs",
            "Pairs",
            "How often does the chosen response win, by slice?",
            "",
            pairs.plan,
            lambda scored, options: pairs.run(scored, _pair_options(options)),
        ),
        Benchmark(
            "styles",
            "Style matrix",
            "Does it see the better response behind the style, in your own texts?",
            "",
            style_matrix.plan,
            lambda scored, options: style_matrix.run(
                scored, replace(_style_options(options), styles=style_matrix.styles_of(scored))
            ),
        ),
    )
}
"""Every benchmark by name; "pairs" and "styles" are for the user's own tables."""

__all__ = [
    "BENCHMARKS",
    "SCORE_COLUMNS",
    "Benchmark",
    "BenchmarkOptions",
    "BenchmarkResult",
    "PairOptions",
    "StyleMatrixOptions",
]
