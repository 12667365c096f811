"""The report of a collapse run: spread, coverage, pass@k, classes and flags."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import collapse as figures
from core.labs.collapse.analysis import HELD_OUT_PROBLEMS, UNSOLVED_PROBLEMS
from core.labs.collapse.spread import BIASES
from core.report.registry import register_report
from core.report.section import Section
from core.stats import Estimate

KIND = "collapse"

Tables = Mapping[str, pd.DataFrame]

SPREAD = (
    "Change in rarefied distinct answers from early to late, minus the same change of runs of the "
    "untrained policy, on problems that gave no reward. Our reading of the question of arXiv "
    "2509.06941."
)
COVERAGE = (
    "Problems solved at least once and distinct answers ever given, at equal samples of a problem. "
    "Both can only grow: they are no pass@k of a policy."
)
AT_K = (
    "What one policy gives in k samples: unbiased pass@k and rarefied distinct answers. Not to be "
    "confused with what a run has ever solved."
)
CLASSES = (
    "What became of the problems of each run, window by window; every problem is in one class."
)
FLAGS = (
    "Did the reward rise while pass@k fell? A point below and to the right of the origin is a run "
    "that does better once and worse in k attempts."
)


def collapse_sections(tables: Tables, options: Mapping[str, Any]) -> Sequence[Section]:
    """Sections of what was found.

    Args:
        tables: of `core.labs.collapse.analysis.to_tables`.
        options: of the page: `k` and `windows` are read.
    """
    found = [
        *_spread(tables["spread"], tables),
        _coverage(tables),
        *_policies(tables),
        _classes(tables, options),
        _flags(tables, int(options.get("k", 8))),
    ]
    if "left_out" in tables and len(tables["left_out"]):
        found.append(Section("What was left out", tables={"Left out": tables["left_out"]}))
    return found


def _spread(spread: pd.DataFrame, tables: Tables) -> list[Section]:
    sections = []
    for problems in (UNSOLVED_PROBLEMS, HELD_OUT_PROBLEMS):
        rows = spread.loc[(spread["problems"] == problems) & (spread["scale"] == "difference")]
        if rows.empty:
            continue
        effects, base = _estimates(rows, "effect"), _estimates(rows, "base change")
        shown = {"All quantities, both scales": spread.loc[spread["problems"] == problems]}
        if problems == UNSOLVED_PROBLEMS:
            shown["Problem by problem"] = tables["spread_problems"]
        sections.append(
            Section(
                f"Spread to problems {problems}",
                f"{SPREAD} {rows['windows'].iloc[0].capitalize()}.",
                estimates={f"{name}, effect": each for name, each in effects.items()},
                figures=[figures.spread_bars(effects, base)],
                tables=shown,
                notes=BIASES,
            )
        )
    return sections


def _coverage(tables: Tables) -> Section:
    curves = tables["curves"]
    drawn = []
    if len(curves):
        drawn = [
            figures.cumulative(curves, measure="solved", title="Solved at least once"),
            *(
                figures.cumulative(curves, cohort=cohort, title=f"Distinct answers, {cohort}")
                for cohort in ("all", "unsolved at end")
            ),
        ]
    both = tables["coverage_and_checkpoint"]
    named = {"Curves": curves, "History and policy, side by side": both}
    return Section("Solved and answered so far", COVERAGE, figures=drawn, tables=named)


def _policies(tables: Tables) -> list[Section]:
    sections = []
    for split, rows in tables["at_k"].groupby("split", sort=False):
        drawn = [
            figures.at_k_curves(rows, measure="pass"),
            figures.at_k_curves(rows, measure="distinct"),
        ]
        heading = f"pass@k and distinct@k: {str(split).replace('_', ' ')}"
        sections.append(Section(heading, AT_K, figures=drawn, tables={"Values": rows}))
    return sections


def _classes(tables: Tables, options: Mapping[str, Any]) -> Section:
    windows = options.get("windows", [])
    notes = [f"Window {place}: {name}" for place, name in enumerate(windows)]
    steps = tables["over_steps"]
    drawn = [figures.over_steps(steps, measure="entropy")] if len(steps) else []
    shown = {"Shares": tables["class_shares"], "Every problem": tables["classes"]}
    return Section("What became of the problems", CLASSES, figures=drawn, tables=shown, notes=notes)


def _flags(tables: Tables, k: int) -> Section:
    runs = tables["run_flags"]
    drawn = [figures.flag_plane(runs, k)] if len(runs) else []
    shown = {"Runs": runs, "Problems": tables["problem_flags"]}
    return Section("Reward up while pass@k goes down", FLAGS, figures=drawn, tables=shown)


def _estimates(rows: pd.DataFrame, quantity: str) -> dict[str, Estimate]:
    found = rows.loc[rows["quantity"] == quantity]
    return {
        str(row["method"]): Estimate(
            float(row["value"]),
            float(row["low"]),
            float(row["high"]),
            float(row["confidence"]),
            int(row["n"]),
            int(row["n_prompts"]),
            str(row["method_of_interval"]),
            {"see the tables": int(row["left_out"])} if row["left_out"] else {},
        )
        for row in found.to_dict("records")
    }


register_report(KIND, collapse_sections)
