"""What the page has computed in the background, and what is kept for taking along."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.diversity.setup import NAME, Setup
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from core.embeddings import Embedded, default_embedder
from core.labs.diversity import frontier, groups
from core.labs.diversity.frontier import Frontier
from core.labs.diversity.groups import DarlingResult, Options
from core.labs.diversity.semantic_map import cluster_names, clusters, map_table
from core.labs.diversity.similarity import Similarity, prepare
from core.projection import Projection, fit_projection
from core.schema import content_id

_SAID: dict[str, str] = {}
"""The latest word of each piece of work that is under way."""

MOST_UNASKED = 2_000
"""More new texts than this are read only when the visitor asks for it."""


def embeddings(setup: Setup, *, whole: bool = False) -> Embedded | None:
    """Sentence embeddings of the responses that are compared, or of all; draws the waiting."""
    table = setup.whole if whole else setup.table
    texts = [str(text) for text in table["response"].fillna("")]
    key = (NAME, "embeddings", setup.table_key, len(texts))
    if tasks().known(key) is None and len(set(texts)) > MOST_UNASKED:
        label = f"Read {len(set(texts)):,} texts with the embedding model"
        if not st.button(label, key=f"{NAME}-embed", icon=":material/play_arrow:"):
            return None
    said = setup.table_key
    outcome = tasks().outcome(key, lambda: _embedded(texts, said))
    if not is_there(outcome, _words(said, "Loading the embedding model")):
        return None
    found: Embedded = outcome.value
    return found


def similarity(setup: Setup) -> Similarity | None:
    """How alike the rows are; draws what is waited for."""
    vectors = None
    if setup.method == "embedding":
        found = embeddings(setup)
        if found is None:
            return None
        vectors = found.vectors
    outcome = tasks().outcome(
        (NAME, "similarity", setup.table_key, setup.method),
        lambda: prepare(setup.table, setup.method, vectors=vectors),
    )
    if not is_there(outcome, "Preparing the comparison of the responses …"):
        return None
    prepared: Similarity = outcome.value
    return prepared


def darling(setup: Setup, options: Options) -> DarlingResult | None:
    """DARLING's reward of every group; draws what is waited for."""
    prepared = similarity(setup)
    if prepared is None:
        return None
    key = (NAME, "reward", setup.table_key, setup.method, content_id(asdict(options)))
    outcome = tasks().outcome(key, lambda: groups.run(prepared, options))
    if not is_there(outcome, "Computing the reward of every group …"):
        return None
    found: DarlingResult = outcome.value
    return keep("darling", found)


def trade_off(setup: Setup, by: str) -> Frontier | None:
    """Quality against diversity by the values of a column; draws what is waited for."""
    prepared = similarity(setup)
    if prepared is None:
        return None
    key = (NAME, "frontier", setup.table_key, setup.method, by, setup.threshold, setup.linking)
    outcome = tasks().outcome(
        key,
        lambda: frontier.run(prepared, by, threshold=setup.threshold, linking=setup.linking),
    )
    if not is_there(outcome, "Measuring every group …"):
        return None
    found: Frontier = outcome.value
    return keep("frontier", found)


def projection(setup: Setup, vectors: Any) -> Projection | None:
    """The map by UMAP, or by what stands in for it; None, with a word on it, while it is made."""
    said = f"{setup.table_key}-map"
    outcome = tasks().outcome(
        (NAME, "projection", setup.table_key), lambda: _projected(vectors, said)
    )
    words = _words(said, "Loading UMAP")
    if not is_there(outcome, f"{words} Until then the map shows principal components."):
        return None
    found: Projection = outcome.value
    return found


def components(setup: Setup, vectors: Any) -> Projection | None:
    """The map by principal components; draws what is waited for."""
    outcome = tasks().outcome(
        (NAME, "components", setup.table_key), lambda: fit_projection(vectors, method="pca")
    )
    if not is_there(outcome, "Laying out the map …"):
        return None
    found: Projection = outcome.value
    return found


def clustered(setup: Setup, vectors: Any, k: int) -> pd.DataFrame | None:
    """One row a point of the map, its place still to come; draws what is waited for."""
    table = setup.whole

    def make() -> pd.DataFrame:
        labels = clusters(vectors, k)
        texts = [str(text) for text in table["response"].fillna("")]
        return map_table(table, np.zeros((len(labels), 2)), labels, cluster_names(texts, labels))

    outcome = tasks().outcome((NAME, "clusters", setup.table_key, k), make)
    if not is_there(outcome, f"Finding {k} clusters …"):
        return None
    found: pd.DataFrame = outcome.value
    return found.copy()


def placed(setup: Setup, text: str, on: Projection) -> Any:
    """(1, 2): where a new text belongs on a map; None, with a word on it, while that is found."""
    key = (NAME, "placed", setup.table_key, on.method, content_id(text))
    outcome = tasks().outcome(key, lambda: on.transform(default_embedder().embed([text]).vectors))
    return outcome.value if is_there(outcome, "Placing your text …") else None


def keep(part: str, value: Any) -> Any:
    """Remembers what is on screen, for taking along."""
    st.session_state[f"{NAME}-kept-{part}"] = value
    return value


def kept(part: str) -> Any:
    """What was on screen last, or None."""
    return st.session_state.get(f"{NAME}-kept-{part}")


def forget_other(key: str) -> None:
    """Drops what is kept where it was made with other choices."""
    if st.session_state.get(f"{NAME}-kept-for") != key:
        for part in ("darling", "frontier", "map"):
            st.session_state.pop(f"{NAME}-kept-{part}", None)
        st.session_state[f"{NAME}-kept-for"] = key


def _embedded(texts: list[str], said: str) -> Embedded:
    def tell(done: int, of: int) -> None:
        _SAID[said] = f"Reading texts with the embedding model: {done:,} of {of:,}"

    try:
        return default_embedder().embed(texts, progress=tell)
    finally:
        _SAID.pop(said, None)


def _projected(vectors: Any, said: str) -> Projection:
    def tell(line: str) -> None:
        _SAID[said] = line

    try:
        return fit_projection(np.asarray(vectors), say=tell)
    finally:
        _SAID.pop(said, None)


def _words(said: str, otherwise: str) -> str:
    return f"{plain(_SAID.get(said, otherwise))} …"
