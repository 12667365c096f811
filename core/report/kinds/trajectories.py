"""The report of the tool errors lab, drawn again from its tables (`to_tables`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import trajectories as figures
from core.labs.trajectories.rates import ErrorRates, Measure
from core.report import Section, register_report

KIND = "tool-errors"

QUESTION = (
    "With a reward for the outcome alone, a rollout that stumbles over failed tool calls and still "
    "lands on the right answer is rewarded like a clean one. Shown is the rate of failed calls in "
    "right and in wrong rollouts over training. Intervals resample problems."
)
WEIGHT = (
    "Messy means a failed tool call, or not exactly one answer. The share of all positive weight "
    "(advantage over the number of rollouts in the update) that lies on right but messy rollouts, "
    "when every rollout enters the update and under each way of choosing."
)
TRAP = (
    "A rollout without a tool call has p_err 0.5: it beats one whose calls mostly fail and loses "
    "to a clean tool user. Counted are all pairs of right rollouts, one without and one with "
    "calls, of one group."
)
GROUP = "One group with its penalties, who is kept, and the weight of each before and after."


def trajectory_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Sections of what was found; a part that was not computed has none.

    Args:
        tables: of `core.labs.trajectories.tables.to_tables`.
        options: of the page: `measure` decides what is drawn first.
    """
    sections = []
    if "rates" in tables:
        sections.append(_rates(tables, options))
    if "messy_weight" in tables:
        shown = {"Weight on messy rollouts": tables["messy_weight"]}
        if "acceptance" in tables:
            shown["Chance to be kept, by failed calls"] = tables["acceptance"]
        sections.append(Section("What updates weigh", WEIGHT, tables=shown))
    if "no_tool" in tables:
        meetings = {"Meetings within groups": tables["no_tool"]}
        sections.append(Section("Without a tool call", TRAP, tables=meetings))
    if "group" in tables:
        sections.append(Section("One group", GROUP, tables={"Rollouts": tables["group"]}))
    if "left_out" in tables:
        counted = {"Rollouts by reason": tables["left_out"]}
        sections.append(Section("What was left out", tables=counted))
    return sections


def _rates(tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]) -> Section:
    measure: Measure = "macro" if options.get("measure") == "macro" else "micro"
    lengths = tables["lengths"] if "lengths" in tables else pd.DataFrame()
    rates = ErrorRates(tables["rates"], tables["groups"], lengths, "tokens")
    drawn = [
        figures.rate_lines(rates, "right", measure, title="Tool errors in right rollouts"),
        figures.rate_lines(rates, "wrong", measure, title="Tool errors in wrong rollouts"),
    ]
    named = {"rates": "Rates", "groups": "Status of groups", "lengths": "Lengths"}
    shown = {caption: tables[name] for name, caption in named.items() if name in tables}
    return Section("Tool errors over training", QUESTION, figures=drawn, tables=shown)


register_report(KIND, trajectory_sections)
