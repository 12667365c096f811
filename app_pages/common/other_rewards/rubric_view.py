"""Rubric rewards: criteria met, what weights do, and the order against a scalar model's."""

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.choices import one_of
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.other_rewards.item_run import read_items
from app_pages.common.other_rewards.rubric_criteria import chosen_criteria
from app_pages.common.other_rewards.take_along import Taken, rubric_python
from app_pages.common.other_rewards.work import (
    NAME,
    ScoredRubric,
    cards_of,
    read_rubric,
    rubric_texts,
    scored_rubric,
    told,
)
from core.errors import WorkbenchError
from core.figures.other_rewards import criteria_map, rank_slopes
from core.labs.rubric.aggregation import (
    FloatArray,
    Weighing,
    explicit_rewards,
    share_met,
    weight_effects,
)
from core.labs.rubric.ranks import RankShift, rank_shift
from core.models.card import RubricPart
from core.models.rubric import weighing_of
from core.report import pack_estimates
from core.schema import content_id

SCALAR = "pocket"
PER_ROW = 6
"""Weights beside each other."""

READINGS = {"explicit": "Weighted share met", "implicit": "One score over all"}
PITFALLS = {"penalty": "taken off", "credit": "credit when absent"}


def rubric_view() -> Taken | None:
    """The tab: ask, weigh, compare."""
    st.markdown(
        "A rubric asks a language model about each criterion and adds up the weights of those that "
        "are met. Move the weights and see which responses change places, and how far the order "
        "is from that of a scalar reward model."
    )
    cards = cards_of("rubric")
    left, right = st.columns([0.5, 0.5], vertical_alignment="bottom")
    model = left.selectbox(
        "Rubric",
        list(cards),
        format_func=lambda name: cards[name].title or name,
        key=f"{NAME}-rubric-model",
        help="Cards of the family “rubric”: a language model with criteria.",
    )
    n = right.slider(
        "Held-out prompts",
        3,
        20,
        5,
        key=f"{NAME}-rubric-n",
        help="Each has one good and two flawed responses; every criterion is a question.",
    )
    of_card = cards[model].rubric
    if of_card is None:
        return None
    part, is_own = chosen_criteria(of_card)
    if part is None:
        return None
    asked = rubric_texts(n, seed=0)
    # Weights only count afterwards in the explicit reading, but the implicit question names them.
    key = content_id([model, n, part.model_dump_json()])
    read = read_items(
        "rubric",
        key,
        f"Ask the rubric: {len(part.criteria)} criteria of each response",
        [f"{name}, {kind}" for name, kind in zip(asked.prompt_ids, asked.kinds, strict=True)],
        lambda position: read_rubric(model, part, asked.conversations[position]),
    )
    if read is None:
        return None
    readings = read.done
    outcome = tasks().outcome(
        (NAME, "rubric", key, SCALAR, len(readings)),
        lambda: scored_rubric(asked, readings, SCALAR),
    )
    if not is_there(outcome, f"Scoring with {SCALAR} …"):
        return None
    return _show(outcome.value, part, model, n, of_card if is_own else None)


def _show(
    scored: ScoredRubric, part: RubricPart, model: str, n: int, replaced: RubricPart | None
) -> Taken | None:
    mass = np.concatenate([each.mass for each in scored.readings])
    low = " So little that the judge would mostly say something else." if mass.mean() < 0.5 else ""
    st.caption(
        f"Yes and No capture {mass.mean():.0%} of the probability on average (least "
        f"{mass.min():.0%}).{low}"
    )
    names = [f"{kind}: {text}" for kind, text in zip(scored.kinds, scored.texts, strict=True)]
    with st.expander("What the judge said of each response", icon=":material/grid_on:"):
        figure = criteria_map(scored.yes, [c.name for c in part.criteria], names)
        st.plotly_chart(figure, key=f"{NAME}-criteria", width="stretch")
    reading = one_of(
        NAME,
        "Reward",
        list(READINGS),
        "rubric-reading",
        READINGS,
        hint="Explicit: criteria one by one, then the weights. Implicit: one question, one score.",
    )
    try:
        rewards, weighing = _rewards(scored, part, reading)
    except WorkbenchError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        return None
    shift = rank_shift(
        scored.prompt_ids, scored.scalar, rewards, rng=np.random.default_rng(0), n_resamples=1_000
    )
    _shift(shift, scored, names)
    tables = {
        "shift": _shift_table(shift, names),
        "estimates": pack_estimates(
            {
                "Kendall's tau within prompts": shift.kendall,
                "Spearman within prompts": shift.spearman,
                "same best response": shift.same_best,
                "Spearman over all responses": shift.pooled,
            }
        ),
    }
    if weighing is not None:
        tables["criteria"] = _weights(scored, weighing)
    weights = {} if weighing is None else dict(zip(weighing.names, weighing.weights, strict=True))
    pitfalls = "penalty" if weighing is None else weighing.pitfalls
    weights = {name: float(weight) for name, weight in weights.items()}
    return Taken(
        f"{model} against {SCALAR}",
        tables,
        {
            "source": f"{len(set(scored.prompt_ids))} held-out authored prompts with one good and "
            "two flawed responses each; "
            f"{'' if replaced is None else 'the criteria were written here; '}"
            f"Yes and No capture {mass.mean():.0%} of the probability on average.",
            "scalar": SCALAR,
            "reading": READINGS[reading],
            "weights": weights,
            "pitfalls": pitfalls,
            "seed": 0,
        },
        (model, SCALAR),
        rubric_python(
            model, SCALAR, n, reading, weights, pitfalls, None if replaced is None else part
        ),
        ("What a pitfall takes away is our reading of the paper.",),
    )


def _shift_table(shift: RankShift, names: list[str]) -> pd.DataFrame:
    """The ranks with the responses they are of, where none is left out."""
    whole = len(shift.table) == len(names)
    return shift.table.assign(response=names) if whole else shift.table


def _rewards(
    scored: ScoredRubric, part: RubricPart, reading: str
) -> tuple[FloatArray, Weighing | None]:
    if reading == "implicit":
        return np.array([each.score for each in scored.readings]), None
    weighing = weighing_of(part)
    pitfalls = one_of(
        NAME,
        "A pitfall's weight is",
        list(PITFALLS),
        "pitfalls",
        PITFALLS,
        hint="Our reading of the paper: a pitfall that is there lowers the numerator, or one that "
        "is absent counts as met.",
    )
    columns = st.columns(min(PER_ROW, len(weighing.names)))
    weights = [
        columns[place % PER_ROW].slider(
            f"{'− ' if pit else ''}{plain(name)}",
            0.0,
            max(10.0, float(weight)),
            float(weight),
            0.5,
            key=f"{NAME}-weight-{name}",
            help="Pitfall: what must not be there." if pit else "How much it counts when met.",
        )
        for place, (name, weight, pit) in enumerate(
            zip(weighing.names, weighing.weights, weighing.is_pitfall, strict=True)
        )
    ]
    values = np.array(weights)
    changed = Weighing(weighing.names, values, weighing.is_pitfall, pitfalls)  # type: ignore[arg-type]
    return explicit_rewards(scored.yes, changed), changed


def _shift(shift: RankShift, scored: ScoredRubric, names: list[str]) -> None:
    left, right = st.columns([0.5, 0.5], gap="medium")
    good = np.array(scored.kinds) == "good"
    table = shift.table
    whole = len(table) == len(good)  # no response is left out: the rows are those of the names
    top = float((table.loc[good, "rank_second"] == 1).mean()) if whole else None
    with left:
        st.plotly_chart(
            rank_slopes(table, f"by {SCALAR}", "by the rubric", names=names)
            if whole
            else rank_slopes(table, f"by {SCALAR}", "by the rubric"),
            key=f"{NAME}-slopes",
            width="stretch",
        )
        st.caption("Green: the rubric ranks it higher; red: lower; grey: in the same place.")
    with right:
        n = shift.kendall.n
        sure = "" if shift.kendall.low > 0 or shift.kendall.high < 0 else " It may be none at all."
        st.markdown(
            f"**Agreement with {SCALAR}**, mean over {n} prompts: Kendall's tau "
            f"{told(shift.kendall)}, Spearman {told(shift.spearman)}.{sure} The same response is "
            f"best in {told(shift.same_best)} of prompts."
        )
        if top is not None:
            n_good = int(good.sum())
            st.markdown(
                f"The rubric ranks the good response first in {round(top * n_good)} of {n_good} "
                "prompts."
            )
        left_out = "; ".join(f"{why}: {count}" for why, count in shift.kendall.left_out.items())
        st.caption(f"Over all responses Spearman is {told(shift.pooled)}. {left_out}")
        moved = table.assign(response=names if whole else "").sort_values(
            "shift", key=abs, ascending=False
        )
        st.dataframe(
            moved[["rank_first", "rank_second", "shift", "response"]],
            hide_index=True,
            width="stretch",
            height=180,
            column_config={
                "rank_first": st.column_config.NumberColumn(f"by {SCALAR}", width="small"),
                "rank_second": st.column_config.NumberColumn("by rubric", width="small"),
                "shift": st.column_config.NumberColumn(
                    "moved", format="%+.1f", width="small", help="Places won by the rubric."
                ),
            },
        )


def _weights(scored: ScoredRubric, weighing: Weighing) -> pd.DataFrame:
    met = share_met(scored.yes, weighing)
    effects = weight_effects(scored.yes, weighing, scored.prompt_ids)
    st.markdown("##### What each criterion does")
    table = met.merge(effects, on="criterion")
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        column_config={
            "met": st.column_config.NumberColumn("share met", format="percent"),
            "spread": st.column_config.NumberColumn("spread of P(Yes)", format="%.3f"),
            "swapped": st.column_config.NumberColumn(
                "pairs it turns",
                format="percent",
                help="Pairs of one prompt that change order when this weight is 0.",
            ),
        },
    )
    return table
