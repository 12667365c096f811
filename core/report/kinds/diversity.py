"""The report of the diversity lab, drawn again from its tables (`to_tables`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import diversity as figures
from core.labs.diversity.calibration import CRITERION
from core.labs.diversity.frontier import MEASURES
from core.labs.diversity.traps import TRAP_MEANING
from core.report import Section, register_report

KIND = "diversity"

Tables = Mapping[str, pd.DataFrame]

REWARD = (
    "DARLING's reward (arXiv 2509.02534) on recorded groups: quality combined with Div, the share "
    "of a response's siblings that say something else. A point above the others in Div and to the "
    "right in quality is paid most; colour tells how many places a response gains in its group."
)
FRONTIER = (
    "Mean reward against diversity; the bars are intervals over problems. Diversity depends on how "
    "many responses a group has, so only points of equal k compare."
)
CALIBRATION = (
    "How well each method tells pairs of responses that people call the same from those they do "
    f"not, on NoveltyBench's labels; threshold: {CRITERION}."
)


def diversity_sections(tables: Tables, options: Mapping[str, Any]) -> Sequence[Section]:
    """Sections of what was found; a part that was not made has none.

    Args:
        tables: of `core.labs.diversity.tables.to_tables`.
        options: of the page: `rule`, `floor`, `weight`, `by`, `k`, `colour`.
    """
    makers = (
        ("responses", _reward),
        ("frontier", _frontier),
        ("map", _map),
        ("calibration", _calibration),
    )
    found = [make(tables, options) for name, make in makers if name in tables]
    if "left_out" in tables:
        caption = {"Left out, by part and reason": tables["left_out"]}
        found.append(Section("What was left out", tables=caption))
    return found


def _reward(tables: Tables, options: Mapping[str, Any]) -> Section:
    plain = options.get("shift", "none") == "none" == options.get("normalisation", "none")
    drawn = figures.quality_and_diversity(
        tables["responses"],
        rule=options.get("rule", "multiply") if plain else "lexicographic",
        floor=float(options.get("floor", 0.1)),
        weight=float(options.get("weight", 1.0)),
        title="Quality and diversity of each response",
    )
    traps = tables["traps"]
    notes = [
        f"{row['trap']}: {row['groups']} of {row['of']} groups. {TRAP_MEANING[row['trap']]}"
        for row in traps.to_dict("records")
        if row["groups"]
    ]
    named = {"Groups": tables["groups"], "Responses": tables["responses"], "Traps": traps}
    return Section("DARLING's reward", REWARD, figures=[drawn], tables=named, notes=notes)


def _frontier(tables: Tables, options: Mapping[str, Any]) -> Section:
    by, points = str(options.get("by", "level")), tables["frontier"]
    usable = [m for m in MEASURES if points.loc[points["measure"] == m, "value"].notna().any()]
    drawn = [
        figures.frontier(points, measure, MEASURES[measure], by, title=f"By {by}")
        for measure in usable[:2]
    ]
    shown = {"Points": points}
    if "frontier_differences" in tables:
        shown["Differences from the first level, paired by problem"] = tables[
            "frontier_differences"
        ]
    return Section(
        "Quality against diversity",
        FRONTIER,
        figures=drawn,
        tables=shown,
        notes=[f"k = {options.get('k', 'the smallest group')}"],
    )


def _map(tables: Tables, options: Mapping[str, Any]) -> Section:
    points = tables["map"]
    colour = str(options.get("colour", "cluster"))
    drawn = figures.semantic_map(points, colour if colour in points else "cluster")
    return Section(
        "Map of the responses",
        "Near points have near sentence embeddings; distances across the map mean little.",
        figures=[drawn],
        tables={"Points": points},
    )


def _calibration(tables: Tables, _: Mapping[str, Any]) -> Section:
    table = tables["calibration"]
    return Section(
        "Which method agrees with people",
        CALIBRATION,
        figures=[figures.calibration_bars(table)],
        tables={"Methods": table},
    )


register_report(KIND, diversity_sections)
