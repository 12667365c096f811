"""Reference likelihoods of the authored problems, recorded with the embedded model.

`data/problems/scores.parquet` lets the verifier-free page show a result at once; the card beside it
says how it was made. `python -m core.problem_scores` makes both again.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from core.errors import TableError
from core.problems import FILE, authored_problems, problems_folder
from core.schema import content_id

SCORES = "scores.parquet"
CARD = "scores.yaml"
PARTIAL = "scores.part.jsonl"
EMBEDDED = "smollm2-135m-instruct"


@cache
def recorded_scores() -> pd.DataFrame:
    """One row a trace and wording of the authored problems, as `ProblemReading.rows` gives them.

    Raises:
        TableError: the file is missing or damaged.
    """
    file = problems_folder() / SCORES
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise TableError(
            f"{file.name}: cannot be read: {error}",
            fix="Make it again: python -m core.problem_scores",
        ) from error


@cache
def recorded_card() -> dict[str, Any]:
    """What made the recorded scores; empty where there is no card."""
    file = problems_folder() / CARD
    if not file.is_file():
        return {}
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def problems_hash() -> str:
    """Of the authored problems: recorded scores belong to the problems with this hash."""
    return content_id((problems_folder() / FILE).read_text(encoding="utf-8"))


def record(folder: Path) -> int:
    """Scores the authored problems, paraphrases included; returns the number of rows.

    An interrupted run goes on where it was; its card then tells only the time of the last part.
    """
    import torch
    import transformers

    from core.models.card import EmbeddedSource
    from core.models.language import load_language_model
    from core.models.likelihood import Splice

    model = load_language_model(
        EmbeddedSource(kind="embedded", name=EMBEDDED), dtype="float32", device="cpu"
    )
    began, busy = time.perf_counter(), time.process_time()
    folder.mkdir(parents=True, exist_ok=True)
    rows = _read_or_kept(folder / PARTIAL, model)
    table = pd.DataFrame(rows)
    lists = ("ref_log_probabilities", "ref_log_probabilities_without", "ref_entropies")
    for column in lists:
        table[column] = [[round(float(value), 6) for value in cell] for cell in table[column]]
    table.to_parquet(folder / SCORES, compression="zstd", index=False)
    how = Splice()
    card = {
        "what": "Log-probability of every reference token after each trace and without reasoning.",
        "model": EMBEDDED,
        "weights": model.fingerprint,
        "number_format": "float32 on a CPU",
        "instruction": how.instruction,
        "bridge": how.bridge,
        "blank": how.blank,
        "problems": len(authored_problems()),
        "rows": len(table),
        "problems_hash": problems_hash(),
        "command": "python -m core.problem_scores",
        "made": datetime.date.today().isoformat(),
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - busy, 1),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "transformers": transformers.__version__,
        },
        "licence": "Apache-2.0",
    }
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True)
    (folder / CARD).write_text(text, encoding="utf-8")
    (folder / PARTIAL).unlink()
    return len(table)


def _read_or_kept(partial: Path, model: Any) -> list[dict[str, Any]]:
    """The rows of all problems; those of an interrupted run are taken from its file."""
    from core.models.likelihood import read_problems

    lines = partial.read_text(encoding="utf-8").splitlines() if partial.is_file() else []
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    done = {row["problem_id"] for row in rows}
    with partial.open("a", encoding="utf-8") as file:
        for number, problem in enumerate(authored_problems(), start=1):
            if problem.problem_id in done:
                continue
            more = read_problems(model, [problem], paraphrases=True)
            file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in more))
            file.flush()
            rows += more
            _say(f"{number} of {len(authored_problems())} problems")
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Records the scores, from a shell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=problems_folder(), help="folder to write to")
    options = parser.parse_args(arguments)
    _say(f"{record(options.out)} rows in {options.out}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
