"""The report of the other rewards page, drawn again from its tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import other_rewards as figures
from core.report import Section, register_report, unpack_estimates

KIND = "other-rewards"

IMPLICIT = (
    "β times the log-ratio of a policy and the model it was trained from, summed over the tokens "
    "of a response or averaged. Both axes are differences from the prompt's mean, so easy and hard "
    "prompts do not mix in. Intervals: 95 %, resampling prompts."
)
PROCESS = (
    "Chains of arithmetic with one step made wrong, each beside its sound twin. F1 is the harmonic "
    "mean of the accuracy on wrong and on sound solutions, with a threshold from other problems; "
    "AUC is the chance that a sound solution gets more than a wrong one."
)
OWN_SOLUTIONS = (
    "Solutions of a file with their first wrong steps. F1 is the harmonic mean of the accuracy on "
    "wrong and on sound solutions; AUC is the chance that a sound solution gets more than a wrong "
    "one."
)
RUBRIC = (
    "Ranks of the same responses within their prompts by a scalar reward model and by the rubric. "
    "What a pitfall takes away is our reading of Rubrics as Rewards."
)


def other_rewards_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Sections of what was looked at.

    Args:
        tables: `estimates` (`core.report.pack_estimates`) and any of `responses`, `ranking` with
            `steps`, `shift` with `criteria`.
        options: of the page: `rule`, `scalar`, `source`, and `own` for solutions of a file.
    """
    found = []
    told = unpack_estimates(tables["estimates"]) if "estimates" in tables else {}
    notes = [str(options["source"])] if options.get("source") else []
    if "responses" in tables:
        rule = str(options.get("rule", "sum"))
        found.append(
            Section(
                "What an implicit reward owes to length",
                IMPLICIT,
                figures=[figures.length_scatter(tables["responses"], rule, title=rule)],
                tables={"Responses": tables["responses"]},
                estimates=told,
                notes=notes,
            )
        )
    if "ranking" in tables:
        found.append(
            Section(
                "Does it find the first wrong step?",
                OWN_SOLUTIONS if options.get("own") else PROCESS,
                tables=_some(
                    tables, {"As a reward of whole solutions": "ranking", "Steps": "steps"}
                ),
                estimates=told,
                notes=notes,
            )
        )
    if "shift" in tables:
        scalar = str(options.get("scalar", "scalar model"))
        shift = tables["shift"]
        names = list(shift["response"]) if "response" in shift else []
        drawn = figures.rank_slopes(shift, f"by {scalar}", "by the rubric", names=names)
        parts = {"What each criterion does": "criteria", "Ranks": "shift"}
        found.append(
            Section(
                "How far a rubric moves the order",
                RUBRIC,
                figures=[drawn],
                tables=_some(tables, parts),
                estimates=told,
                notes=notes,
            )
        )
    return found


def _some(tables: Mapping[str, pd.DataFrame], named: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {caption: tables[name] for caption, name in named.items() if name in tables}


register_report(KIND, other_rewards_sections)
