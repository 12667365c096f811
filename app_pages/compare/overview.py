"""Overview: how often each model is right, how sure that is, and where its noise begins."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.conformance import conformance_badge
from app_pages.common.markup import plain
from app_pages.common.service import conformance
from app_pages.compare.results import Compared, Tables, with_noise
from core.exports.figures import figure_config
from core.figures.compare import accuracy_ranges
from core.labs.compare import overview
from core.labs.compare.in_words import overview_words, percent
from core.labs.compare.tidy import records

HELP = {
    "Accuracy": "Share of pairs whose chosen response has the higher reward; a tie is half. The "
    "95 % interval is a bootstrap over prompts: pairs of one prompt are no independent evidence.",
    "Mean margin": "Reward(chosen) - reward(rejected), in units of the model's own root mean "
    "square margin, so that models can stand side by side.",
    "Noise floor": "The largest change of a reward from batching alone, in the model's own unit, "
    "measured by its conformance check, and how many pairs have a margin within it: who wins "
    "there is chance.",
    "Left out": "Pairs without a margin under this model, by reason.",
}


def draw(ground: Compared) -> Tables:
    """Draws the overview; returns its table."""
    options = with_noise(ground)
    found = ground.part("overview", lambda: overview(ground.scores, ground.options))
    if found is None:
        return {}
    st.markdown(plain(overview_words(found)))
    left, right = st.columns([0.36, 0.64], gap="medium")
    with left:
        st.plotly_chart(
            accuracy_ranges(found), key="compare-accuracy", config=figure_config("accuracy")
        )
    with right:
        st.dataframe(
            _shown(found, ground, options.noise_floors),
            hide_index=True,
            key="compare-overview",
            column_config={
                name: st.column_config.Column(name, help=text) for name, text in HELP.items()
            },
        )
        _badges(ground)
    return {"overview": found}


def _shown(found: pd.DataFrame, ground: Compared, floors: Mapping[str, float]) -> pd.DataFrame:
    rows = []
    for row in records(found):
        model, floor = row["model"], floors.get(row["model"])
        margins = ground.scores.margins[model].to_numpy(dtype=np.float64)
        within = 0 if floor is None else int((np.abs(margins) < floor).sum())
        rows.append(
            {
                "Model": model,
                "Accuracy": percent(row),
                "Right / tie / wrong": f"{row['n_wins']:,} / {row['n_ties']:,} / "
                f"{row['n_losses']:,} of {row['n']:,}",
                "Mean margin": _margin(row),
                "Noise floor": "not known" if floor is None else f"{floor:.2g}, {within:,} within",
                "Left out": row["left_out"] or "none",
            }
        )
    return pd.DataFrame(rows)


def _margin(row: Mapping[str, float]) -> str:
    value, low, high = (row[f"standard_margin{end}"] for end in ("", "_low", "_high"))
    return "" if np.isnan(value) else f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _badges(ground: Compared) -> None:
    """Whether each model's numbers hold, with the report behind."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for model in ground.models:
            outcome = conformance(model)
            st.markdown(f"**{plain(model)}**", width="content")
            report = outcome.value if outcome.state == "done" else None
            conformance_badge(report, outcome.error, key=f"compare-conformance-{model}")
