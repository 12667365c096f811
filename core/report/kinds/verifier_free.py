"""The report of the verifier-free lab, drawn again from its tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import verifier_free as figures
from core.report import Section, register_report

KIND = "verifier-free"

QUESTION = (
    "Can reasoning improve without a checker of answers? A trace is rewarded by how likely a "
    "language model finds the reference answer after it. Area is the chance that a right trace "
    "scores above a wrong one; within problems, only traces of one problem are compared, as a "
    "group's advantages do. Intervals resample problems."
)


def verifier_free_sections(
    tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> Sequence[Section]:
    """Sections of what was looked at.

    Args:
        tables: any of `areas`, `group`, `filter`, `correlations`, `paraphrases`, `estimators`.
        options: of the page: `source`, `problem`, `score`.
    """
    found = []
    if "areas" in tables:
        areas = tables["areas"]
        shown = areas.loc[
            (areas["subset"] == "reference")
            & (areas["domain"] == "all")
            & (areas["comparison"] == "within problems")
        ]
        found.append(
            Section(
                "Does the likelihood tell right from wrong?",
                QUESTION,
                figures=[figures.area_dots(shown, title="Within problems")],
                tables={"Areas": areas},
                notes=[str(options[name]) for name in ("source",) if options.get(name)],
            )
        )
    if "group" in tables:
        text = (
            f"Rewards and advantages of the traces of {options.get('problem', 'one problem')} by "
            "three methods."
        )
        found.append(
            Section(
                "One group, three methods",
                text,
                figures=[figures.method_bars(tables["group"])],
                tables={"Rewards and advantages": tables["group"]},
            )
        )
    if "filter" in tables:
        text = "Groups in a drawn order, as if one scorer never changed; training would change it."
        found.append(
            Section(
                "Filter by spread",
                text,
                figures=[figures.filter_lines(tables["filter"])],
                tables={"Steps": tables["filter"]},
            )
        )
    if "correlations" in tables:
        text = "Rank correlation of the reward with length and entropy of the trace."
        found.append(
            Section("Length and entropy", text, tables={"Correlations": tables["correlations"]})
        )
    if "paraphrases" in tables:
        found.append(
            Section(
                "The same answer in other words",
                "Variance of the reward over wordings and between traces of each problem.",
                figures=[figures.paraphrase_bars(tables["paraphrases"])],
                tables={"Problems": tables["paraphrases"]},
            )
        )
    if "estimators" in tables:
        found.append(
            Section(
                "Likelihood against sampled answers",
                "Variance of both estimators on the measured likelihoods of one problem.",
                figures=[figures.variance_dots(tables["estimators"])],
                tables={"Estimators": tables["estimators"]},
            )
        )
    return found


register_report(KIND, verifier_free_sections)
