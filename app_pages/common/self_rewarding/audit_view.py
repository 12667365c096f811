"""A preference set as DPO would read it: gap, likeness of its sides, expected gradient."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there, run_lab
from app_pages.common.markup import plain
from app_pages.common.model_choice import choose_lab_models
from app_pages.common.pair_choice import ChosenPairs, choose_pairs
from app_pages.common.section_view import readable
from app_pages.common.self_rewarding.parts import bullets, pick_row, show_pair
from app_pages.common.self_rewarding.setup import NAME, one_of
from app_pages.common.service import MAIN_MODEL
from core.embeddings import MODEL, Embedded, default_embedder
from core.figures.self_rewarding import distribution, gap_against_cosine
from core.labs.pairs import pair_rewards, plan_pairs
from core.labs.self_rewarding import audit, in_words
from core.labs.self_rewarding.audit import FLAGS, AuditOptions, AuditResult, reward_columns
from core.schema import content_id
from core.stats import FloatArray

AUDIT = f"{NAME}-audit"
MODEL_SCORES, FILE_SCORES = "A reward model", "Columns of the file"
FIRST_PAIRS = 60
MOST_UNASKED = 2_000
"""More texts than this are read for their embeddings only when the visitor asks for it."""

ORDERS = {
    "weakest gradient first": ("gradient", True),
    "most alike first": ("cosine", False),
    "smallest gap first": ("gap", True),
    "strongest gradient first": ("gradient", False),
}
SHOWN = (
    "pair_id", "gap", "cosine", "gradient", "weight", "margin", *FLAGS, "chosen", "rejected",
)  # fmt: skip


@dataclass(frozen=True)
class Audited:
    """What was audited, and with what.

    Attributes:
        chosen: the pairs.
        result: what was found.
        options: what counts as what.
        model: id of the model that gave the rewards, or "".
        columns: the file's columns of rewards, or none.
        embeds: whether there were embeddings.
    """

    chosen: ChosenPairs
    result: AuditResult
    options: AuditOptions
    model: str
    columns: tuple[str, ...]
    embeds: bool


@dataclass(frozen=True)
class _Rewards:
    values: tuple[FloatArray, FloatArray] | None
    model: str = ""
    columns: tuple[str, ...] = ()


def audit_view() -> Audited | None:
    """The whole view; None while there are no pairs."""
    st.caption(
        "Upload any preference set: prompt, chosen and rejected. See how far its sides are apart "
        "in reward, how alike they are in meaning, and which pairs DPO would learn little from."
    )
    chosen = choose_pairs(AUDIT, most=FIRST_PAIRS)
    if chosen is None:
        return None
    options = _options()
    rewards = _rewards(chosen)
    vectors = _embeddings(chosen)
    key = content_id([chosen.key, asdict(options), rewards.model, list(rewards.columns)])
    known = [rewards.values is not None, vectors is not None, _fingerprint(rewards.values)]
    sides = None
    if vectors is not None:
        first, second = np.split(vectors.vectors, 2)
        sides = (first, second)
    outcome = tasks().outcome(
        (NAME, "audit", key, str(known)),
        lambda: audit.audit(
            chosen.pairs, rewards=rewards.values, embeddings=sides, options=options
        ),
    )
    if not is_there(outcome, "Reading the set as DPO would …"):
        return None
    result: AuditResult = outcome.value
    _draw(chosen, result, options, vectors)
    return Audited(chosen, result, options, rewards.model, rewards.columns, vectors is not None)


def _options() -> AuditOptions:
    with st.expander("What counts as what", icon=":material/tune:"):
        columns = st.columns(4, gap="medium")
        beta = columns[0].number_input(
            "β of DPO", 0.001, 5.0, 0.1, 0.05, format="%.3f", key=f"{AUDIT}-beta",
            persist_state="session",
            help="Scales margin and weight. Common values are 0.01 to 0.5.",
        )  # fmt: skip
        parallel = columns[1].slider(
            "Near-parallel from a cosine of", 0.5, 1.0, 0.95, 0.01, key=f"{AUDIT}-parallel",
            persist_state="session", help="Pairs at or above it are flagged.",
        )  # fmt: skip
        tie = columns[2].number_input(
            "Tie up to a gap of", 0.0, 10.0, 0.0, 0.05, key=f"{AUDIT}-tie",
            persist_state="session", help="In the reward model's own unit.",
        )  # fmt: skip
        seed = columns[3].number_input(
            "Seed", 0, 10**6, 0, key=f"{AUDIT}-seed", persist_state="session",
            help="Of the resampling over prompts.",
        )  # fmt: skip
    return AuditOptions(beta=float(beta), parallel=float(parallel), tie=float(tie), seed=int(seed))


def _rewards(chosen: ChosenPairs) -> _Rewards:
    columns = reward_columns(chosen.pairs)
    ways = [MODEL_SCORES, *([FILE_SCORES] if len(columns) > 1 else [])]
    way = one_of(
        "Gap by", ways, "audit-rewards",
        hint="A reward model of the catalogue scores both sides of every pair, or two columns of "
        "the file already hold the rewards.",
    )  # fmt: skip
    if way == FILE_SCORES:
        return _of_columns(chosen.pairs, columns)
    models = choose_lab_models(AUDIT, default=[MAIN_MODEL], most=1, label="Reward model")
    found: Mapping[str, pd.DataFrame] | None = run_lab(
        AUDIT,
        models,
        chosen.key,
        plan=lambda: plan_pairs(chosen.pairs),
        result=lambda scored: {
            name: pair_rewards(chosen.pairs, table) for name, table in scored.items()
        },
    )
    if not found:
        return _Rewards(None)
    ((model, table),) = found.items()
    values = [table[f"reward_{side}"].to_numpy(np.float64) for side in ("chosen", "rejected")]
    return _Rewards((values[0], values[1]), model)


def _of_columns(pairs: pd.DataFrame, columns: list[str]) -> _Rewards:
    guess = [
        next((name for name in columns if side in name.lower()), columns[place])
        for place, side in enumerate(("chosen", "rejected"))
    ]
    names = []
    for column, side, first in zip(st.columns(2), ("chosen", "rejected"), guess, strict=True):
        name = column.selectbox(
            f"Rewards of the {side}", columns, columns.index(first),
            key=f"{AUDIT}-column-{side}-{content_id(columns)}",
            help="A column of numbers.",
        )  # fmt: skip
        names.append(name)
    if names[0] == names[1]:
        st.warning("Chosen and rejected need a column each.", icon=":material/help:")
        return _Rewards(None)
    values = [pd.to_numeric(pairs[name], errors="coerce").to_numpy(np.float64) for name in names]
    return _Rewards((values[0], values[1]), columns=(names[0], names[1]))


def _fingerprint(values: tuple[FloatArray, FloatArray] | None) -> str:
    return "" if values is None else content_id([side.tolist() for side in values])


def _embeddings(chosen: ChosenPairs) -> Embedded | None:
    """Of the chosen, then the rejected responses; None (with a note) while they are made."""
    texts = [str(text) for side in ("chosen", "rejected") for text in chosen.pairs[side]]
    key, n_texts = (NAME, "audit-embeddings", chosen.key), len(set(texts))
    if tasks().known(key) is None and n_texts > MOST_UNASKED:
        label = f"Read {n_texts:,} texts with the embedding model"
        if not st.button(label, key=f"{AUDIT}-embed", icon=":material/play_arrow:"):
            return None
    outcome = tasks().outcome(key, lambda: default_embedder().embed(texts))
    waiting = f"Reading {n_texts:,} texts with the embedding model, for the cosine …"
    found: Embedded | None = outcome.value if is_there(outcome, waiting) else None
    return found


def _draw(
    chosen: ChosenPairs, result: AuditResult, options: AuditOptions, vectors: Embedded | None
) -> None:
    st.markdown(f"##### What DPO would find in these {len(result.pairs):,} pairs")
    bullets(in_words.audit_sentences(result))
    for line in result.missing:
        st.caption(f":material/info: {plain(line)}")
    drawn = [name for name in ("gap", "cosine", "gradient") if name in result.pairs.columns]
    for column, name in zip(st.columns(max(1, len(drawn)), gap="medium"), drawn, strict=False):
        label, meaning = audit.MEASURES[name]
        with column:
            st.markdown(f"**{label}**", help=meaning)
            threshold = {"cosine": options.parallel, "gap": 0.0}.get(name)
            figure = distribution(result.pairs, name, threshold=threshold)
            st.plotly_chart(figure, key=f"{AUDIT}-figure-{name}")
            st.caption(plain(_told(result, name)))
    if {"gap", "cosine"} <= set(drawn):
        st.markdown("**Gap against likeness, a point a pair**")
        figure = gap_against_cosine(result.pairs, parallel=options.parallel)
        st.plotly_chart(figure, key=f"{AUDIT}-scatter")
        st.caption(
            "Right of the line the two sides say nearly the same; below zero the reward model "
            "prefers the rejected. Hover for the pair, and read it below."
        )
    if vectors is not None:
        n_cut = int(vectors.truncated.sum())
        cut = (
            f" {n_cut:,} texts are longer than it reads, so their end is missing." if n_cut else ""
        )
        st.caption(
            f"Cosine: sentence embeddings ({plain(vectors.model)}) of the response texts alone, "
            f"which stand in for a policy's states.{cut}"
        )
    _read_pairs(chosen, result)


def _told(result: AuditResult, name: str) -> str:
    found = result.estimates[name]
    left_out = sum(found.left_out.values())
    lost = f", {left_out:,} left out" if left_out else ""
    interval = "no interval"
    if np.isfinite(found.low):
        interval = f"95 % interval {found.low:.3f} to {found.high:.3f}"
    size = f"n = {found.n:,} pairs of {found.n_prompts:,} prompts{lost}"
    return f"Mean {found.value:.3f} ({interval}; {size})."


def _read_pairs(chosen: ChosenPairs, result: AuditResult) -> None:
    pairs = result.pairs.assign(
        **{side: chosen.pairs[side].astype(str).to_numpy() for side in ("chosen", "rejected")},
        place=range(len(result.pairs)),
    )
    orders = [name for name, (column, _) in ORDERS.items() if column in pairs.columns]
    st.markdown("##### Read the pairs")
    if orders:
        order = one_of("Order", orders, "audit-order", hint="Click a row to read the pair.")
        column, ascending = ORDERS[order]
        pairs = pairs.sort_values(column, ascending=ascending, kind="stable")
    row = pick_row(pairs, SHOWN, f"{AUDIT}-pairs-{chosen.key}")
    if row is not None:
        messages = chosen.pairs["prompt"].iloc[int(row["place"])]
        prompt = messages[-1]["content"] if len(messages) == 1 else None
        show_pair(prompt, row["chosen"], row["rejected"], "audit")
    with st.expander("How many pairs are flagged, and what a flag means", icon=":material/flag:"):
        names = result.flags["flag"].map(lambda flag: FLAGS[flag][0])
        meanings = result.flags["flag"].map(lambda flag: FLAGS[flag][1])
        table = result.flags.assign(flag=names, meaning=meanings)
        st.dataframe(readable(table), hide_index=True, key=f"{AUDIT}-flags")


def embedding_model(audited: Audited) -> str | None:
    """Which model gave the cosine."""
    return MODEL if audited.embeds else None
