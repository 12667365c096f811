"""Tabs: does the reward tell right from wrong, and what else does it go with?"""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.verifier_free.setup import NAME, RECORDED, Setup, one_of, options_key
from core.figures.verifier_free import area_dots, reward_scatter, roc_lines
from core.labs.verifier_free.aggregates import AGGREGATES, TITLES
from core.labs.verifier_free.quality import (
    BASELINE,
    LENGTH,
    correlation_table,
    quality_table,
    roc_curve,
    score_columns,
)
from core.labs.verifier_free.rewards import rlpr_rewards

SCORE_TITLES: dict[str, str] = {
    **{how: TITLES[how] for how in AGGREGATES},
    **{BASELINE.format(how): f"{TITLES[how]} − without reasoning" for how in AGGREGATES},
    LENGTH: "length of the trace alone",
}
MANY = "This needs many labelled groups: choose the authored problems."


def keep(part: str, key: str, value: Any) -> Any:
    """Remembers a part's latest result for these choices."""
    st.session_state[f"{NAME}-kept-{part}"] = (key, value)
    return value


def kept(part: str, key: str) -> Any:
    """A part's result, or None where it was not looked at with these choices."""
    known, value = st.session_state.get(f"{NAME}-kept-{part}", ("", None))
    return value if known == key else None


def quality_view(setup: Setup) -> None:
    """Tab: areas and curves."""
    if setup.source != RECORDED:
        st.info(MANY, icon=":material/info:")
        return
    table = setup.scores.table
    outcome = tasks().outcome((f"{NAME}-areas", setup.key), lambda: quality_table(table))
    if not is_there(outcome, "Resampling problems …"):
        return
    areas: pd.DataFrame = keep("areas", setup.key, outcome.value)
    comparison = one_of(
        "Compared",
        ("within problems", "all traces"),
        "comparison",
        hint="Within problems: a right against a wrong trace of the same problem, as advantages "
        "do. All traces: over all problems, where an easy reference lifts all its traces.",
    )
    chosen = areas.loc[areas["comparison"] == comparison]
    st.markdown(_reading(chosen))
    first = chosen.query("subset == 'reference' and domain == 'all'")
    left, right = st.columns(2, gap="medium")
    with left:
        named = first.assign(score=first["score"].map(SCORE_TITLES))
        st.plotly_chart(
            area_dots(named, title="All domains"), key=f"{NAME}-areas", alt="Area of each score"
        )
    with right:
        st.plotly_chart(
            roc_lines(_curves(setup), title="All traces"), key=f"{NAME}-roc", alt="ROC curves"
        )
    score = setup.options.score
    name = BASELINE.format(score) if setup.options.debias.baseline else score
    st.markdown(f"##### {SCORE_TITLES[name]}: where does it hold?")
    for which in (name, LENGTH):
        rows = chosen.loc[chosen["score"] == which].copy()
        everywhere = rows["domain"] == "all"
        rows["slice"] = rows["subset"].where(everywhere, rows["domain"])
        st.plotly_chart(
            area_dots(rows, title=SCORE_TITLES[which], label="slice"),
            key=f"{NAME}-slices-{which}",
            alt="Area by subset and domain",
        )
    row = first.iloc[0]
    st.caption(
        f"{int(row['n'])} traces of {int(row['n_problems'])} problems; 95% intervals: "
        f"{row['method']}. 'trace does not name it' keeps only traces without the reference's own "
        "string, right and wrong; 'paraphrases' scores other wordings of the answer."
    )
    with st.expander("All areas", icon=":material/table:"):
        st.dataframe(areas, hide_index=True, key=f"{NAME}-areas-table")


def _reading(chosen: pd.DataFrame) -> str:
    whole = chosen.query("subset == 'reference' and domain == 'all'").set_index("score")
    scores = whole.drop(index=[LENGTH], errors="ignore")
    best = scores.loc[scores["auc"].idxmax()]
    verdict = (
        "better than chance" if best["low"] > 0.5 else "not told from chance by these problems"
    )
    text = (
        f"**Best is the {SCORE_TITLES[str(best.name)]}: area {best['auc']:.3f} "
        f"({best['low']:.3f} to {best['high']:.3f}), {verdict}.**"
    )
    if LENGTH in whole.index:
        length = whole.loc[LENGTH]
        text += (
            f" Length alone has {length['auc']:.3f} ({length['low']:.3f} to {length['high']:.3f})."
        )
    silent = chosen.loc[
        (chosen["subset"] == "trace does not name it") & (chosen["score"] == best.name)
    ]
    if len(silent):
        row = silent.iloc[0]
        text += (
            f" Among traces that do not name the reference it is {row['auc']:.3f} "
            f"({row['low']:.3f} to {row['high']:.3f}, {int(row['n'])} traces)."
        )
    return text


def _curves(setup: Setup) -> pd.DataFrame:
    table = setup.scores.references
    labelled = np.array([flag is not None for flag in table["correct"]], dtype=bool)
    right = np.array([flag is True for flag in table["correct"]], dtype=bool)
    frames = []
    for score, values in score_columns(table).items():
        if score not in ("mean", "product", "geometric", BASELINE.format("mean"), LENGTH):
            continue
        usable = labelled & ~np.isnan(values)
        curve = roc_curve(values[usable], right[usable])
        frames.append(curve.assign(score=SCORE_TITLES[score]))
    return pd.concat(frames, ignore_index=True)


def length_view(setup: Setup) -> None:
    """Tab: reward against length and entropy."""
    table = setup.scores.references
    rewards = rlpr_rewards(table, setup.options)
    if setup.source == RECORDED:
        key = options_key(setup)
        outcome = tasks().outcome(
            (f"{NAME}-correlations", key), lambda: correlation_table(table, rewards)
        )
        if not is_there(outcome, "Resampling problems …"):
            return
        found: pd.DataFrame = keep("correlations", key, outcome.value)
        names = {"n_trace_tokens": "length", "entropy": "entropy"}
        for row in found.to_dict("records"):
            apart = "differs from 0" if row["low"] > 0 or row["high"] < 0 else "may well be 0"
            st.markdown(
                f"- Reward and {names[row['with']]}, {row['comparison']}: Spearman "
                f"**{row['correlation']:+.3f}** ({row['low']:+.3f} to {row['high']:+.3f}), {apart}."
            )
        st.caption(
            f"{int(found['n'].iloc[0])} traces of {int(found['n_problems'].iloc[0])} problems, "
            "95% intervals by resampling problems. Reported by the paper (RLPR): −0.060 with "
            "length and 0.059 with entropy."
        )
    left, right = st.columns(2, gap="medium")
    for column, against in ((left, "n_trace_tokens"), (right, "entropy")):
        with column:
            st.plotly_chart(
                reward_scatter(table, rewards, against),
                key=f"{NAME}-scatter-{against}",
                alt="Reward of each trace",
            )
