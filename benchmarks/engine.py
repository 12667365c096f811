"""The engine against its peers, in one run: `python -m benchmarks.engine --help`.

What each part measures, and the targets, are in `benchmarks/README.md`.
"""

import argparse
import datetime
import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.bench import Bench
from benchmarks.measure import Line, Target, describe_machine, median
from benchmarks.memory import growth_in_fresh_process, sibling
from benchmarks.peers import Peers
from benchmarks.reuse import measure_live, measure_prompt
from benchmarks.sample import load_sample
from benchmarks.throughput import measure_throughput
from core import models
from core.engine.threads import in_passing_thread
from core.models.causal import CausalRewardModel

PARTS = ("throughput", "live", "prompt", "memory")
MIN_WIDTH = 150
MEMORY_TARGET = Target("≤", 1.15)


def measure_memory(bench: Bench) -> list[Line]:
    """Two adapters over one base against one, each in a fresh process."""
    name = bench.options.model
    second = bench.options.second_model or sibling(bench.model.card)
    if second is None:
        bench.say("memory: no second adapter over the same base, left out")
        return []
    one = [growth_in_fresh_process([name]) for _ in range(bench.options.rounds)]
    two = [growth_in_fresh_process([name, second]) for _ in range(bench.options.rounds)]
    figures = {
        "one_mb": median([float(size) for size in one]) / 1024**2,
        "two_mb": median([float(size) for size in two]) / 1024**2,
    }
    ratio = figures["two_mb"] / figures["one_mb"]
    what = f"{name} and {second} over one base"
    return [Line("memory", what, figures, ratio, f"{name} alone", MEMORY_TARGET)]


MEASURES: dict[str, Callable[[Bench], list[Line]]] = dict(
    zip(PARTS, (measure_throughput, measure_live, measure_prompt, measure_memory), strict=True)
)


def run(options: argparse.Namespace, console: Console) -> dict[str, object]:
    """Measures the parts asked for.

    Returns:
        The report as plain values: `made`, `machine`, `options`, `sample`, `lines`.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    machine = describe_machine()
    model = in_passing_thread(lambda: models.load(options.model))
    if not isinstance(model, CausalRewardModel):
        raise SystemExit(f"{options.model} is no causal model on this machine.")
    sample = load_sample(options.conversations)
    bench = Bench(
        options=options,
        model=model,
        peers=in_passing_thread(lambda: Peers(model, merged=options.merged)),
        sample=sample,
        say=lambda line: console.print(line, style="dim", highlight=False),
    )
    console.print(f"{model.card.id} in {model.precision.name}, {sample.source}", highlight=False)
    measures = [functools.partial(MEASURES[part], bench) for part in options.parts]
    lines = [line for measure in measures for line in in_passing_thread(measure)]
    return {
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "model": {"id": model.card.id, "precision": model.precision.name},
        "sample": {"source": sample.source, "conversations": len(sample.conversations)},
        "options": {name: value for name, value in vars(options).items() if name != "output"},
        "lines": [line.to_json() for line in lines],
    }


COLUMNS = ("part", "what", "ratio", "peer", "target", "met")


def draw(report: dict[str, object]) -> Table:
    """The report's lines as a table."""
    table = Table(*("part", "what", "measured", "ratio", "to", "target", "reached"))
    for line in report["lines"]:  # type: ignore[attr-defined]
        figures = [f"{name} {value:,.4g}" for name, value in line.items() if name not in COLUMNS]
        ratio = "" if line["ratio"] is None else f"{line['ratio']:.2f}"
        reached = {None: "", True: "yes", False: "NO"}[line["met"]]
        cells = (", ".join(figures), ratio, line["peer"], line["target"], reached)
        table.add_row(line["part"], line["what"], *cells)
    return table


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.engine", description=__doc__)
    add = parser.add_argument
    add("--model", default="pocket", help="a card, hub id or folder (pocket)")
    add("--second-model", help="adapter over the same base, for memory (any of the catalogue)")
    add("--merged", action="store_true", help="peers fold the adapter into the base")
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (all)")
    add("--rounds", type=_count, default=3, help="rounds of throughput, prompt, memory (3)")
    add("--conversations", type=_count, default=60, help="for throughput, in file order (60)")
    add("--edits", type=_count, default=20, help="live edits at each place (20)")
    add("--response-tokens", type=_count, default=400, help="response under live edit (400)")
    add("--prompt-tokens", type=_count, default=200, help="shared prompt (200)")
    add("--responses", type=_count, default=32, help="responses to the shared prompt (32)")
    add("--branch-tokens", type=_count, default=60, help="each of these responses (60)")
    add("--matmul", type=_count, default=2048, help="rows of the ceiling's matrices (2048)")
    add("--threads", type=_count, help="threads of torch (its own choice)")
    add("--output", type=Path, help="write the report as JSON")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 0 whether or not targets are reached."""
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    console.width = max(console.width, MIN_WIDTH)  # a narrower table breaks every word
    report = run(options, console)
    console.print_json(json.dumps(report["machine"]))
    console.print(draw(report))
    if options.output is not None:
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
