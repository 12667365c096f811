"""The report of the tool errors lab, drawn again from its tables (`to_tables`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import trajectories as figures
from core.labs.trajectories.rates import ErrorRates, Measure
from core.labs.trajectories.tables import weighings_of
from core.labs.trajectories.updates import CHOOSING, GroupUpdate
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
        sections.append(_weights(tables))
    if "no_tool" in tables:
        meetings = {"Meetings within groups": tables["no_tool"]}
        sections.append(Section("Without a tool call", TRAP, tables=meetings))
    if "group" in tables:
        sections.append(_group(tables["group"]))
    if "left_out" in tables:
        counted = {"Rollouts by reason": tables["left_out"]}
        sections.append(Section("What was left out", tables=counted))
    return sections


def _weights(tables: Mapping[str, pd.DataFrame]) -> Section:
    acceptance = tables.get("acceptance")
    weighings = weighings_of(tables["messy_weight"], acceptance)
    drawn = [figures.messy_bars(weighings, title="Positive weight on right but messy rollouts")]
    shown = {"Weight on messy rollouts": tables["messy_weight"]}
    if acceptance is not None:
        choosing = {str(name): each for name, each in weighings.items() if name in CHOOSING}
        drawn.append(figures.acceptance_lines(choosing, title="Which right rollouts are kept"))
        shown["Chance to be kept, by failed calls"] = acceptance
    return Section("What updates weigh", WEIGHT, figures=drawn, tables=shown)


def _group(rows: pd.DataFrame) -> Section:
    kept = rows.loc[rows["kept"]]
    # The figures read the rows only; what happened to the group stands in each row's reason.
    update = GroupUpdate(rows, "", "", (0, 0))
    drawn = [
        figures.penalty_bars(update, title="Penalties; dropped rollouts are faded"),
        figures.weight_bars(update, title="Weight in the update, before and after"),
    ]
    note = (
        f"{int(rows['correct'].sum())} right and {int((~rows['correct']).sum())} wrong; "
        f"{int(kept['correct'].sum())} and {int((~kept['correct']).sum())} of them are kept."
    )
    return Section("One group", GROUP, figures=drawn, tables={"Rollouts": rows}, notes=[note])


def _rates(tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]) -> Section:
    asked = options.get("measure")
    measure: Measure = asked if asked in ("macro", "no tool") else "micro"
    named_measure = figures.MEASURE_TITLES[measure]
    lengths = tables["lengths"] if "lengths" in tables else pd.DataFrame()
    rates = ErrorRates(tables["rates"], tables["groups"], lengths, "")
    drawn = [
        figures.rate_lines(rates, "right", measure, title=f"Right rollouts: {named_measure}"),
        figures.rate_lines(rates, "wrong", measure, title=f"Wrong rollouts: {named_measure}"),
    ]
    named = {"rates": "Rates", "groups": "Status of groups", "lengths": "Lengths"}
    shown = {caption: tables[name] for name, caption in named.items() if name in tables}
    return Section("Tool errors over training", QUESTION, figures=drawn, tables=shown)


register_report(KIND, trajectory_sections)
