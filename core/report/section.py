"""What a report is made of: sections with a heading, text, numbers, figures and tables."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import plotly.graph_objects as go

from core.stats import Estimate

_NUMBERS = ("value", "low", "high", "confidence", "n", "n_prompts", "method")


@dataclass(frozen=True)
class Section:
    """One part of a report. Every text in it is shown as it is written, never read as markup.

    Attributes:
        heading: what the part is about.
        text: plain text; an empty line starts a paragraph.
        estimates: aggregates by what they are; each is shown with its interval, its n, its method
            and what was left out.
        figures: Plotly figures. Texts of users in them must be literal (`core.figures.style`).
        tables: tables by their caption.
        left_out: what of the input this part could not use, counted by reason.
        notes: whatever else a reader must know.
    """

    heading: str
    text: str = ""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    figures: Sequence[go.Figure] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


def estimates_table(estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    """Estimates as a table, one row each, with all that an aggregate must carry."""
    rows = [
        {
            "what": what,
            "value": each.value,
            "low": each.low,
            "high": each.high,
            "interval": f"{100 * each.confidence:g}%",
            "n": each.n,
            "prompts": each.n_prompts,
            "left out": sum(each.left_out.values()),
            "method": each.method,
        }
        for what, each in estimates.items()
    ]
    return pd.DataFrame(rows)


def pack_estimates(estimates: Mapping[str, Estimate]) -> pd.DataFrame:
    """Estimates as a table that a run can keep: one row each, nothing lost.

    Columns: what, value, low, high, confidence, n, n_prompts, method, left_out (as JSON).
    """
    rows = [
        {"what": what}
        | {name: getattr(each, name) for name in _NUMBERS}
        | {"left_out": json.dumps(dict(each.left_out))}
        for what, each in estimates.items()
    ]
    return pd.DataFrame(rows, columns=["what", *_NUMBERS, "left_out"])


def unpack_estimates(table: pd.DataFrame) -> dict[str, Estimate]:
    """The estimates of `pack_estimates`, for the report of a saved run."""
    return {
        str(what): Estimate(
            float(value),
            float(low),
            float(high),
            float(confidence),
            int(n),
            int(n_prompts),
            str(method),
            json.loads(left_out),
        )
        for what, value, low, high, confidence, n, n_prompts, method, left_out in table[
            ["what", *_NUMBERS, "left_out"]
        ].itertuples(index=False, name=None)
    }


def left_out_lines(section: Section) -> list[str]:
    """What a section left out, as sentences: its own counts, then those of its estimates."""
    lines = _lines("", section.left_out)
    for what, estimate in section.estimates.items():
        lines += _lines(f"{what}: ", estimate.left_out)
    return lines


def _lines(of_what: str, counts: Mapping[str, int]) -> list[str]:
    return [
        f"{of_what}{count:,} left out: {reason}"
        for reason, count in sorted(counts.items(), key=lambda item: -item[1])
        if count
    ]
