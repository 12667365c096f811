"""Area under the ROC curve of each likelihood reward on GSM8K's labelled model solutions.

`python -m benchmarks.gsm8k --data FOLDER` draws problems at random, splices each of the four
models' solutions (without its final answer line and without calculator marks) before the right
answer, and asks how well the embedded model's likelihood of that answer tells right solutions from
wrong ones. Intervals come from resampling problems. A file of `--rows` can be looked at on the
verifier-free page. FOLDER holds `example_model_solutions.jsonl`
of OpenAI's grade-school-math repository.
"""

import argparse
import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.labs.verifier_free.quality import LENGTH, auc_estimate, quality_table, score_columns
from core.labs.verifier_free.tables import read_scores
from core.models.card import EmbeddedSource
from core.models.language import load_language_model
from core.models.likelihood import read_problems
from core.problem_scores import EMBEDDED
from core.problems import Problem, Trace

REPOSITORY = Path(__file__).resolve().parent.parent
FILE = "example_model_solutions.jsonl"
MARKS = re.compile(r"<<[^>]*>>")
ANSWER_LINE = re.compile(r"\n?A:[^\n]*\s*$")


def default_folder() -> Path:
    """Where the solutions are looked for: REWARD_WORKBENCH_SHARED_DATA, or beside the checkout."""
    named = os.environ.get("REWARD_WORKBENCH_SHARED_DATA")
    return (Path(named) if named else REPOSITORY.parent / "shared" / "data") / "gsm8k"


def final_answer(solution: str) -> str:
    """The text after "A:" on the last line, "" where there is none."""
    lines = solution.strip().splitlines()
    return lines[-1].removeprefix("A:").strip() if lines and lines[-1].startswith("A:") else ""


def reasoning(solution: str) -> str:
    """A solution without its answer line and without calculator marks."""
    return MARKS.sub("", ANSWER_LINE.sub("", solution.strip())).strip()


def load(folder: Path) -> list[Problem]:
    """The problems with the solutions of all models as traces; empty solutions are left away."""
    problems = []
    lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        row = json.loads(line)
        traces = tuple(
            Trace(name, reasoning(given["solution"]), bool(given["is_correct"]))
            for name, given in row.items()
            if isinstance(given, dict) and reasoning(given["solution"])
        )
        reference = final_answer(row["ground_truth"])
        if traces and reference:
            problems.append(
                Problem(f"gsm8k-{number:04d}", "GSM8K", row["question"], reference, (), traces)
            )
    return problems


def choose(problems: Sequence[Problem], n: int, seed: int) -> list[Problem]:
    """n problems drawn without replacement."""
    rng = np.random.default_rng(seed)
    return [problems[at] for at in rng.permutation(len(problems))[:n]]


def measure(problems: Sequence[Problem], *, minutes: float) -> tuple[pd.DataFrame, float]:
    """Rows of the problems read within a budget of processor time, and the minutes taken."""
    model = load_language_model(
        EmbeddedSource(kind="embedded", name=EMBEDDED), dtype="float32", device="cpu"
    )
    began, rows = time.process_time(), []
    for number, problem in enumerate(problems, start=1):
        rows += read_problems(model, [problem])
        taken = (time.process_time() - began) / 60
        if number % 20 == 0:
            print(f"{number} problems, {taken:.1f} minutes of processor time", flush=True)
        if taken > minutes:
            break
    return pd.DataFrame(rows), (time.process_time() - began) / 60


def with_texts(table: pd.DataFrame, problems: Sequence[Problem]) -> pd.DataFrame:
    """The rows with the question and the trace they belong to."""
    questions = {each.problem_id: each.question for each in problems}
    traces = {(p.problem_id, t.trace_id): t.text for p in problems for t in p.traces}
    keys = zip(table["problem_id"], table["trace_id"], strict=True)
    return table.assign(
        question=table["problem_id"].map(questions), trace=[traces[key] for key in keys]
    )


def report(table: pd.DataFrame) -> dict[str, Any]:
    """Areas over all solutions, within problems, by what a solution names, and by model."""
    scores = read_scores(table)
    found = quality_table(scores.table, by_domain=False)
    columns = score_columns(scores.table)
    by_model = []
    for name in dict.fromkeys(scores.table["trace_id"]):
        rows = (scores.table["trace_id"] == name).to_numpy()
        for score in ("mean", "product", "geometric", LENGTH):
            each = auc_estimate(
                columns[score][rows],
                list(scores.table["correct"][rows]),
                list(scores.table["problem_id"][rows]),
                rng=np.random.default_rng(0),
            )
            by_model.append(
                {"model": name, "score": score, "auc": each.value, "low": each.low,
                 "high": each.high, "n": each.n}
            )  # fmt: skip
    return {
        "n_problems": int(scores.table["problem_id"].nunique()),
        "n_solutions": len(scores.table),
        "n_right": int(sum(flag is True for flag in scores.table["correct"])),
        "left_out": dict(scores.left_out),
        "areas": found.to_dict("records"),
        "by_model": by_model,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=default_folder(), help="folder of GSM8K")
    parser.add_argument("--problems", type=int, default=400, help="at most so many (400)")
    parser.add_argument("--minutes", type=float, default=8, help="processor time (8)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing of problems")
    parser.add_argument("--out", type=Path, help="a JSON file for the report")
    parser.add_argument("--rows", type=Path, help="a Parquet file for the likelihoods")
    options = parser.parse_args(arguments)
    if not (options.data / FILE).is_file():
        print(f"{options.data / FILE} is not there; name its folder with --data.")
        return 2
    chosen = choose(load(options.data), options.problems, options.seed)
    table, minutes = measure(chosen, minutes=options.minutes)
    found = report(table) | {"minutes": minutes, "seed": options.seed}
    shown = pd.DataFrame(found["areas"])[
        ["score", "comparison", "subset", "auc", "low", "high", "n", "n_problems"]
    ]
    print(shown.round(3).to_string(index=False))
    print(pd.DataFrame(found["by_model"]).round(3).to_string(index=False))
    print(
        f"{found['n_problems']} problems, {found['n_solutions']} solutions, {minutes:.1f} minutes"
    )
    if options.rows:
        with_texts(table, chosen).to_parquet(options.rows, compression="zstd", index=False)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
