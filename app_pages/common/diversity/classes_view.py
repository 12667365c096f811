"""One group in classes: the similarity graph, the threshold, and what a chain does."""

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.diversity.parts import choose_group
from app_pages.common.diversity.setup import NAME, Setup
from app_pages.common.diversity.work import similarity
from app_pages.common.section_view import readable
from core.exports import figure_config
from core.figures import diversity as figures
from core.labs.diversity.classes import alike, has_texts, partition, sensitivity
from core.labs.diversity.darling import diversity_scores
from core.labs.diversity.measures import distinct_at_k, distinct_n, mean_distance, vendi_score
from core.labs.diversity.traps import TRAP_MEANING

STEPS = np.linspace(0, 1, 101)


def classes_view(setup: Setup) -> None:
    """The group that the visitor picks, its graph and what its number of classes hangs on."""
    prepared = similarity(setup)
    if prepared is None:
        return
    positions = choose_group(prepared.table, "classes")
    if positions is None:
        return
    kernel = prepared.of(positions)
    texts = prepared.texts(positions) if has_texts(setup.method) else None
    found = partition(kernel, setup.threshold, setup.linking, short_texts=texts)
    same = alike(kernel, setup.threshold, texts)
    rows = prepared.table.iloc[positions]
    column = "class_id" if setup.method == "given" else "answer"
    shown = texts or [str(value) for value in rows[column]]
    left, right = st.columns([0.58, 0.42], gap="medium")
    with left:
        st.plotly_chart(
            figures.similarity_graph(
                kernel, same, found, shown, rows["reward"].to_numpy(float, na_value=np.nan),
                title="Lines join responses that say the same",
            ),
            key=f"{NAME}-graph",
            config=figure_config("similarity-graph"),
            alt="Responses of one group, joined where they say the same",
        )  # fmt: skip
    with right:
        _measures(kernel, found.labels.tolist(), texts)
        if has_texts(setup.method):
            st.plotly_chart(
                figures.class_counts(
                    STEPS, sensitivity(kernel, STEPS.tolist(), short_texts=texts),
                    threshold=setup.threshold, title="Classes at each threshold",
                ),
                key=f"{NAME}-sensitivity",
                config=figure_config("classes-by-threshold"),
                alt="Number of classes of the group at each threshold",
            )  # fmt: skip
    for k in found.chained:
        st.warning(
            f"Class {k + 1} is a chain: two of its members have a similarity of only "
            f"{found.lowest[k]:.2f}. {TRAP_MEANING['chained class']}",
            icon=":material/link:",
        )
    table = pd.DataFrame(
        {
            "response": np.arange(1, len(positions) + 1),
            "class": found.labels + 1,
            "Div": diversity_scores(found.labels.tolist()),
            "quality": rows["reward"].to_numpy(),
            "text" if texts else column: shown,
        }
    ).sort_values("class", kind="stable")
    st.dataframe(readable(table), hide_index=True, key=f"{NAME}-class-table", height=280)


def _measures(kernel: np.ndarray, labels: list[int], texts: list[str] | None) -> None:
    n = len(labels)
    one, two, three = st.columns(3)
    one.metric(
        "Classes", f"{len(set(labels))} of {n}",
        help="How many different things the group says, at this threshold.",
    )  # fmt: skip
    two.metric(
        "Vendi score", f"{vendi_score(kernel):.2f}",
        help=f"Effective number of different responses, from 1 to {n}, without any threshold: exp "
        "of the entropy of the similarity's eigenvalues.",
    )  # fmt: skip
    three.metric(
        "Mean distance", f"{mean_distance(kernel):.2f}",
        help="Mean of 1 − similarity over all pairs of the group.",
    )  # fmt: skip
    told = [f"{distinct_at_k(labels, k):.2f} among {k}" for k in (2, 4) if k < n]
    words = f"Different responses expected: {', '.join(told)}. " if told else ""
    if texts:
        words += f"Distinct-2: {distinct_n(texts, 2):.0%} of the word pairs are different ones. "
    st.caption(f"{words}All of these depend on the group's size, here {n}.")
