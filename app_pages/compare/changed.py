"""Changed minds: pairs whose winner differs between the baseline and a candidate."""

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from app_pages.compare.choice import choose_one
from app_pages.compare.examples import examples, pair_in_full
from app_pages.compare.results import Compared, Tables, noise_key, with_noise
from core.exports.figures import figure_config
from core.figures.compare import changed_minds_bars, changed_minds_lines
from core.labs.compare import ChangedMinds, changed_minds
from core.labs.compare.in_words import changed_words

MOST_LINES = 30


def draw(ground: Compared) -> Tables:
    """Draws who changed their mind; returns the changes."""
    options = with_noise(ground)
    found = ground.part(
        "changed",
        lambda: [
            changed_minds(ground.scores, ground.baseline, candidate, options)
            for candidate in ground.candidates
        ],
        noise_key(options),
    )
    if found is None:
        return {}
    result = _of_candidate(found)
    st.markdown(plain(changed_words(result)))
    left, right = st.columns([0.45, 0.55], gap="medium")
    with left:
        _figures(ground, found, result)
    with right:
        row = examples(
            ground,
            [int(row) for row in result.changes["row"]],
            [result.baseline, result.candidate],
            key="compare-changed",
        )
        st.caption("Clear changes first, then the largest. A click on a row opens the pair below.")
    if row is not None:
        pair_in_full(ground, row, [result.baseline, result.candidate], key="compare-changed")
    return {"changed_minds": _table(found)}


def _of_candidate(found: list[ChangedMinds]) -> ChangedMinds:
    by_name = {result.candidate: result for result in found}
    if len(by_name) == 1:
        return found[0]
    return by_name[
        choose_one(
            "Candidate",
            list(by_name),
            key="compare-candidate",
            default=found[-1].candidate,
            width=300,
        )
    ]


def _figures(ground: Compared, found: list[ChangedMinds], result: ChangedMinds) -> None:
    st.plotly_chart(
        changed_minds_bars(found), key="compare-flips", config=figure_config("changed minds")
    )
    st.caption(
        "Pairs that became right (won) or wrong (lost). Pale: one of the two margins is within "
        "its model's noise floor, so that the change may be chance."
    )
    if result.changes.empty:
        return
    prompts = [
        str(ground.pairs.iloc[int(row)]["prompt"][-1]["content"])
        if ground.pairs.iloc[int(row)]["prompt"]
        else ""
        for row in result.changes["row"]
    ]
    with st.expander(f"How far each pair moved, the first {MOST_LINES}"):
        st.plotly_chart(
            changed_minds_lines(result, texts=prompts, most=MOST_LINES),
            key="compare-flip-lines",
            config=figure_config("changed pairs"),
        )
        st.caption(
            "Each line is a pair, from the baseline's margin (hollow) to the candidate's; right "
            "of 0 the chosen response wins. Grey: within the noise."
        )


def _table(found: list[ChangedMinds]) -> pd.DataFrame:
    return pd.concat(
        [one.changes.assign(baseline=one.baseline, candidate=one.candidate) for one in found],
        ignore_index=True,
    )
