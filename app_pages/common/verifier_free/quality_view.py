"""Tabs: does the reward tell right from wrong, and what else does it go with?"""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.verifier_free.setup import NAME, Setup, one_of, options_key
from core.figures.verifier_free import area_dots, reward_scatter, roc_lines
from core.labs.verifier_free.aggregates import AGGREGATES, TITLES
from core.labs.verifier_free.quality import (
    BASELINE,
    LENGTH,
    auc_estimate,
    correlation_table,
    quality_table,
    roc_curve,
    score_columns,
)
from core.labs.verifier_free.rewards import rlpr_rewards
from core.stats import Estimate

SCORE_TITLES: dict[str, str] = {
    **{how: TITLES[how] for how in AGGREGATES},
    **{BASELINE.format(how): f"{TITLES[how]} − without reasoning" for how in AGGREGATES},
    LENGTH: "length of the trace alone",
}
MANY = (
    "This needs several problems with right and wrong traces: choose the authored problems, or a "
    "file with a column correct."
)

FEWEST = 10
"""Problems below which the headline tells no share."""


def keep(part: str, key: str, value: Any) -> Any:
    """Remembers a part's latest result for these choices."""
    st.session_state[f"{NAME}-kept-{part}"] = (key, value)
    return value


def kept(part: str, key: str) -> Any:
    """A part's result, or None where it was not looked at with these choices."""
    known, value = st.session_state.get(f"{NAME}-kept-{part}", ("", None))
    return value if known == key else None


def headline(setup: Setup) -> None:
    """Above the tabs: how often the chosen reward prefers the right trace, over all problems."""
    if not (setup.many and setup.labelled):
        return
    key = options_key(setup)
    found: dict[str, Estimate] | None = kept("headline", key)
    if found is None:
        found = keep("headline", key, _preferences(setup))
    reward = found["reward"]
    if not np.isfinite(reward.value):
        return
    text = (
        f"**Over {reward.n_prompts} problems this reward puts the right trace above the wrong one "
        f"in {_percent(reward)} of pairs** (chance is 50%, ties count half)"
    )
    silent = found.get("silent")
    if silent is not None and silent.n_prompts >= FEWEST:
        text += (
            "; among traces that do not name the reference, where its own words cannot be copied, "
            f"in {_percent(silent)} ({silent.n} traces of {silent.n_prompts} problems)"
        )
    elif silent is not None:
        text += (
            "; how much of it is copying cannot be told, as only "
            f"{silent.n_prompts} problems have a right and a wrong trace that do not name the "
            "reference"
        )
    if "length" in found and np.isfinite(found["length"].value):
        text += f". The longer trace is the right one in {_percent(found['length'])}"
    st.markdown(f"{text}.")


def _preferences(setup: Setup) -> dict[str, Estimate]:
    """Pairs of one problem won by the reward, by the reward without copying, and by length."""
    table = setup.scores.references
    rewards = rlpr_rewards(table, setup.options)
    lengths = table["n_trace_tokens"].to_numpy(dtype=np.float64)
    silent = np.array([flag is False for flag in table["names_reference"]], dtype=bool)
    everywhere = np.ones(len(table), dtype=bool)
    found = {}
    for name, values, rows in (
        ("reward", rewards, everywhere),
        ("silent", rewards, silent),
        ("length", lengths, everywhere),
    ):
        if np.isfinite(values[rows]).any():
            found[name] = auc_estimate(
                values[rows],
                list(table["correct"][rows]),
                list(table["problem_id"][rows]),
                rng=np.random.default_rng(0),
                comparison="within problems",
            )
    return found


def _percent(estimate: Estimate) -> str:
    if not np.isfinite(estimate.low):
        return f"{estimate.value:.0%}"
    return f"{estimate.value:.0%} [{100 * estimate.low:.0f} to {100 * estimate.high:.0f}]"


def quality_view(setup: Setup) -> None:
    """Tab: areas and curves."""
    if not (setup.many and setup.labelled):
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
            roc_lines(_curves(setup), title="ROC over all traces"),
            key=f"{NAME}-roc",
            alt="ROC curves",
        )
    score: str = setup.options.score
    with_baseline = BASELINE.format(score)
    use = setup.options.debias.baseline and with_baseline in set(chosen["score"])
    name = with_baseline if use else score
    st.markdown(f"##### {SCORE_TITLES[name]}: where does it hold?")
    slices = chosen.loc[chosen["score"].isin([name, LENGTH])].copy()
    everywhere = slices["domain"] == "all"
    slices["slice"] = slices["subset"].where(everywhere, slices["domain"])
    limits = (
        min(0.4, float(slices["low"].min()) - 0.02), max(0.8, float(slices["high"].max()) + 0.02)
    )  # fmt: skip
    for column, which in zip(st.columns(2, gap="medium"), (name, LENGTH), strict=True):
        rows = slices.loc[slices["score"] == which]
        if rows.empty:  # lengths need not be known
            continue
        with column:
            st.plotly_chart(
                area_dots(rows, title=SCORE_TITLES[which], label="slice", limits=limits),
                key=f"{NAME}-slices-{which}",
                alt="Area by subset and domain",
            )
    row = first.iloc[0]
    st.caption(
        f"{int(row['n'])} traces of {int(row['n_problems'])} problems; 95% intervals: "
        f"{row['method']}. 'trace does not name it' keeps only traces without the reference's own "
        "string, right and wrong; 'paraphrases' scores other wordings of the answer."
    )
    if comparison == "within problems":
        st.caption(
            "Traces of one problem share the reference and its number of tokens, so product, "
            "geometric mean and mean log-probability rank them alike, and the score without "
            "reasoning, the same for all of them, changes no order. Shaping does: clipped rewards "
            "tie."
        )
    with st.expander("All areas", icon=":material/table:"):
        st.dataframe(areas, hide_index=True, key=f"{NAME}-areas-table")


def _reading(chosen: pd.DataFrame) -> str:
    whole = chosen.query("subset == 'reference' and domain == 'all'").set_index("score")
    scores = whole.drop(index=[LENGTH], errors="ignore")
    if scores["auc"].isna().all():
        return "**No problem has a right and a wrong trace to compare.**"
    best = scores.loc[scores["auc"].idxmax()]
    verdict = (
        "better than chance" if best["low"] > 0.5 else "not told from chance by these problems"
    )
    text = (
        f"**Best of {len(scores)} scores is the {SCORE_TITLES[str(best.name)]}: area "
        f"{best['auc']:.3f} ({best['low']:.3f} to {best['high']:.3f}), {verdict}.**"
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
    if not np.isfinite(table[["n_trace_tokens", "entropy"]].to_numpy(dtype=np.float64)).any():
        st.info(
            "Lengths and entropies of the traces are not known: the file has no n_trace_tokens and "
            "no entropy.",
            icon=":material/info:",
        )
        return
    if setup.many:
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
                f"**{row['correlation']:+.3f}** ({row['low']:+.3f} to {row['high']:+.3f}), "
                f"{apart}.".replace("-0", "−0")
            )
        st.caption(
            f"{int(found['n'].iloc[0])} traces of {int(found['n_problems'].iloc[0])} problems, "
            "95% intervals by resampling problems. Reported by the paper (RLPR): −0.060 with "
            "length and 0.059 with entropy."
        )
    left, right = st.columns(2, gap="medium")
    for column, against in ((left, "n_trace_tokens"), (right, "entropy")):
        if not np.isfinite(table[against].to_numpy(dtype=np.float64)).any():
            continue
        with column:
            st.plotly_chart(
                reward_scatter(table, rewards, against),
                key=f"{NAME}-scatter-{against}",
                alt="Reward of each trace",
            )
