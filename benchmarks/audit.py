"""A full audit through the service, against scoring each of its texts alone.

`python -m benchmarks.audit` plans a battery of 30 edits, a prompt matrix of 30 × 30 and the pairs
as they are (for the MMD over all attributes) on authored pairs of about 120 tokens, says what that
will take, runs it with an empty cache, changes one response and runs it again, with the cache as it
was left. Beside it a random sample of the same texts is scored one at a time, nothing reused: half
of it before and half of it after these runs, since a machine may get slower or faster. What all
texts would take that way is worked out from the sample, in proportion to tokens.

With `--work FOLDER` what has been measured is kept there, and the same command goes on after an
interruption; a part that was interrupted begins anew. `--pairs 4` tries all parts in little time.
"""

import argparse
import datetime
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.audit_plan import (
    Audit,
    AuditRun,
    Size,
    change_one_response,
    choose_pairs,
    n_tokens,
    plan_audit,
    run_audit,
)
from benchmarks.engine import MIN_WIDTH, draw
from benchmarks.measure import Line, Target, describe_machine
from core import models
from core.engine.cache import RewardCache
from core.engine.plans import PlanCost, plan_cost
from core.engine.service import RewardService
from core.engine.templating import encode
from core.engine.threads import in_passing_thread
from core.models.causal import CausalRewardModel
from core.schema import Conversation, content_id

AUDIT_TARGET, REPEAT_TARGET = Target("≥", 2.5), Target("≥", 20.0)
CACHE_BYTES = 10**9
N_PROBE = 16
"""Texts that are scored to know the service's speed before the estimate is shown."""

ALONE, ALONE_ONCE = "each text alone", "each different text alone"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """The model, the options, and where what has been measured is kept."""

    model: CausalRewardModel
    options: argparse.Namespace
    folder: Path
    say: Say

    def part(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `measure` gives, or gave when it ran to its end before."""
        file = self.folder / f"{name}.json"
        if file.is_file():
            self.say(f"{name}: kept from an earlier run")
        else:
            found = measure()
            file.with_suffix(".part").write_text(json.dumps(found), encoding="utf-8")
            file.with_suffix(".part").replace(file)
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return kept

    @contextmanager
    def service(self, cache: str = "", *, start_from: str = "") -> Iterator[RewardService]:
        """A service of its own; with the cache of this name, which begins as another one."""
        place = self.folder / cache
        if cache:
            shutil.rmtree(place, ignore_errors=True)
            if start_from:
                shutil.copytree(self.folder / start_from, place)
        kept = RewardCache(place / "rewards.sqlite", CACHE_BYTES) if cache else None
        service = RewardService(cache=kept)
        try:
            service.register(self.model)
            yield service
        finally:
            service.close()


def measure_alone(bench: Bench, conversations: Sequence[Conversation]) -> dict[str, Any]:
    """Scores conversations one at a time with nothing reused: seconds, tokens and rewards."""

    def score() -> dict[str, Any]:
        began, rewards, tokens = time.perf_counter(), [], 0
        for conversation in conversations:
            sequence = encode(bench.model, conversation).sequence
            rewards.append(float(bench.model.rewards([sequence]).rewards[0]))
            tokens += len(sequence)
        return {"seconds": time.perf_counter() - began, "tokens": tokens, "rewards": rewards}

    return in_passing_thread(score)


def measure_estimate(
    bench: Bench, audit: Audit, probe: Sequence[Conversation]
) -> tuple[PlanCost, float]:
    """What a person is shown before the start: tokens to read, and the service's speed now."""
    speed = 0.0
    for _ in range(2):  # the first time warms up
        with bench.service() as service:
            began = time.perf_counter()
            service.score(bench.model.card.id, probe)
            speed = sum(n_tokens(bench.model, probe)) / (time.perf_counter() - began)
    with bench.service() as service:
        return plan_cost(service, bench.model.card.id, audit.conversations()), speed


def run(options: argparse.Namespace, console: Console) -> dict[str, object]:
    """Measures all parts.

    Returns:
        The report as plain values: `made`, `machine`, `model`, `options`, `sample`, `lines`.
    """
    size = Size(options.pairs, options.tokens, options.prompts, options.perturbations)
    machine = describe_machine()
    model = in_passing_thread(lambda: models.load(options.model))
    if not isinstance(model, CausalRewardModel):
        raise SystemExit(f"{options.model} is no causal model on this machine.")
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        work = Path(scratch) if options.work is None else options.work
        key = content_id([asdict(size), options.alone, model.fingerprint])
        folder = work / key
        folder.mkdir(parents=True, exist_ok=True)

        def say(line: str) -> None:
            console.print(line, style="dim", highlight=False, soft_wrap=True)

        bench = Bench(model, options, folder, say)
        lines, sample = _measure(bench, size)
    return {
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "model": {"id": model.card.id, "precision": model.precision.name},
        "sample": sample,
        "options": {**asdict(size), "alone": options.alone},
        "lines": [line.to_json() for line in lines],
    }


def _measure(bench: Bench, size: Size) -> tuple[list[Line], dict[str, Any]]:
    pairs = choose_pairs(bench.model, size)
    audit = plan_audit(pairs, size)
    needed = audit.needed()
    drawn = random.Random(0).sample(range(len(needed)), min(bench.options.alone, len(needed)))
    halves = np.array_split(np.array(drawn), 2)
    before, after = ([needed[place] for place in half] for half in halves)
    tokens = _tokens(bench.model, audit, needed)
    sample = {"pairs": len(pairs), "prompts": int(pairs["prompt_id"].nunique()), **tokens}
    bench.say(
        f"{len(pairs)} pairs of {sample['prompts']} prompts, {tokens['mean_tokens']:.0f} tokens a "
        f"conversation; {tokens['rows']:,} rows in all, {len(drawn):,} texts scored alone"
    )
    estimate = bench.part("estimate", lambda: _estimate(bench, audit, before[:N_PROBE]))
    bench.say(
        f"estimate: {estimate['n_read']:,} tokens to read, of {estimate['n_tokens']:,} in all "
        f"rows: {estimate['seconds']:.0f} s at {estimate['tokens_per_s']:.0f} tokens/s"
    )
    alone = [bench.part("alone-before", lambda: measure_alone(bench, before))]
    first = bench.part("audit", lambda: _run(bench, audit, "cache"))
    bench.say(f"scored in {first['scoring_s']:.1f} s, with statistics {first['whole_s']:.1f} s")

    def repeat() -> dict[str, Any]:
        changed = plan_audit(change_one_response(pairs), size)
        return _run(bench, changed, "cache-again", start_from="cache")

    second = bench.part("repeat", repeat)
    bench.say(f"again in {second['scoring_s']:.1f} s, with statistics {second['whole_s']:.1f} s")
    alone.append(bench.part("alone-after", lambda: measure_alone(bench, after)))
    checked = _largest_difference(audit, needed, drawn, first["rewards"], alone)
    return _lines(estimate, alone, first, second, tokens, checked), sample


def _tokens(
    model: CausalRewardModel, audit: Audit, needed: Sequence[Conversation]
) -> dict[str, float]:
    """Rows and tokens of the audit, as it is and as it is scored alone."""
    lengths = {content_id(c): n for c, n in zip(needed, n_tokens(model, needed), strict=True)}
    pairs = audit.plans["pairs"].conversations()
    return {
        "rows": len(audit.conversations()),
        "needed": len(needed),
        "different": len(lengths),
        "mean_tokens": float(np.mean([lengths[content_id(c)] for c in pairs])),
        "needed_tokens": sum(lengths[content_id(c)] for c in needed),
        "different_tokens": sum(lengths.values()),
    }


def _estimate(bench: Bench, audit: Audit, probe: Sequence[Conversation]) -> dict[str, Any]:
    cost, speed = measure_estimate(bench, audit, probe)
    return {**asdict(cost), "tokens_per_s": speed, "seconds": cost.seconds(speed)}


def _run(bench: Bench, audit: Audit, cache: str, *, start_from: str = "") -> dict[str, Any]:
    with bench.service(cache, start_from=start_from) as service:
        done: AuditRun = run_audit(service, bench.model.card.id, audit)
    return {
        **asdict(done),
        "scoring_s": done.scoring_s,
        "whole_s": done.whole_s,
        "other_s": done.whole_s - done.scoring_s,
    }


def _largest_difference(
    audit: Audit,
    needed: Sequence[Conversation],
    drawn: Sequence[int],
    rewards: Sequence[float],
    alone: Sequence[dict[str, Any]],
) -> float:
    """Between a text's reward alone and in the audit."""
    of_text = {
        content_id(conversation): reward
        for conversation, reward in zip(audit.conversations(), rewards, strict=True)
    }
    found = [of_text[content_id(needed[place])] for place in drawn]
    return float(np.max(np.abs(np.subtract(found, [r for part in alone for r in part["rewards"]]))))


def _lines(
    estimate: dict[str, Any],
    alone: Sequence[dict[str, Any]],
    first: dict[str, Any],
    second: dict[str, Any],
    tokens: dict[str, float],
    difference: float,
) -> list[Line]:
    sampled = sum(part["tokens"] for part in alone)
    per_token = sum(part["seconds"] for part in alone) / sampled
    all_alone, once = per_token * tokens["needed_tokens"], per_token * tokens["different_tokens"]
    drift = {
        f"tokens_per_s_{when}": part["tokens"] / part["seconds"]
        for when, part in zip(("before", "after"), alone, strict=True)
    }
    texts = {"sampled_texts": sum(len(part["rewards"]) for part in alone)}
    lines = [
        Line("estimate", "seconds shown before the start", {"seconds": estimate["seconds"]}),
        Line("alone", ALONE, {"seconds": all_alone, "texts": tokens["needed"], **texts, **drift}),
        Line("alone", ALONE_ONCE, {"seconds": once, "texts": tokens["different"]}),
        Line("alone", "rewards", {"largest_reward_difference": difference}),
    ]
    for part, found, target in (
        ("audit", first, AUDIT_TARGET),
        ("repeat", second, REPEAT_TARGET),
    ):
        scoring, other = found["scoring_s"], found["other_s"]
        figures = {f"{name}_s": value for name, value in found["seconds"].items()}
        lines += [
            Line(part, "seconds of each step", figures),
            Line(part, "scoring", {"seconds": scoring}, all_alone / scoring, ALONE, target),
            Line(part, "scoring", {"seconds": scoring}, once / scoring, ALONE_ONCE),
            Line(
                part,
                "with planning and statistics on both sides",
                {"seconds": found["whole_s"]},
                (all_alone + other) / found["whole_s"],
                ALONE,
            ),
        ]
    ratio = first["scoring_s"] / estimate["seconds"]
    return [*lines, Line("estimate", "scoring took", {}, ratio, "the estimate")]


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.audit", description=__doc__)
    add, size = parser.add_argument, Size()
    add("--model", default="pocket", help="a card, hub id or folder (pocket)")
    add("--pairs", type=_count, default=size.pairs, help="authored pairs (100)")
    add("--tokens", type=_count, default=size.tokens, help="of a conversation, about (120)")
    add("--prompts", type=_count, default=size.prompts, help="sides of the prompt matrix (30)")
    add("--perturbations", type=_count, default=size.perturbations, help="of the battery (30)")
    add("--alone", type=_count, default=400, help="texts scored alone, drawn at random (400)")
    add("--work", type=Path, help="folder to keep what has been measured, and to go on from")
    add("--output", type=Path, help="write the report as JSON")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError("must be at least 2")
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
