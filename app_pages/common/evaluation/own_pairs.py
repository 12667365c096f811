"""One's own pairs: by slice, and in three styles as RM-Bench's matrix."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.evaluation.evaluated import Asked, draw, evaluate
from app_pages.common.lab_run import is_there, run_lab
from app_pages.common.markup import plain
from app_pages.common.pair_choice import FILE_TYPES, ChosenPairs, choose_pairs
from core.labs.benchmarks import BENCHMARKS, BenchmarkOptions, PairOptions
from core.labs.benchmarks.own_styles import styled_candidates
from core.labs.pairs import slice_columns
from core.labs.plan import Plan
from core.schema import content_id
from core.tables import parse_table
from core.tables.benchmarks import BenchmarkTable, read_own_pairs

BY_RULE, LISTS = "Written by rule", "My file with lists"
SEED_HELP = "Of the resampling over prompts; the same seed gives the same intervals."


def pairs_by_slice(models: Sequence[str]) -> None:
    """How often the chosen response wins, in all and by slice."""
    chosen = choose_pairs("evaluate-pairs", most=100)
    if chosen is None:
        return
    left, right = st.columns([0.8, 0.2], vertical_alignment="bottom")
    columns = slice_columns(chosen.pairs)
    with left:
        slices = st.multiselect(
            "Slices",
            columns,
            default=columns[:2],
            key=f"evaluate-slices-{content_id(columns)}",
            placeholder="Columns of the table",
            help="Each value of such a column gets a score of its own.",
        )
    with right:
        seed = st.number_input("Seed", 0, 10**6, 0, key="evaluate-pairs-seed", help=SEED_HELP)
    options = PairOptions(seed=int(seed), slices=tuple(slices))
    extra = [list(slices), int(seed), *(chosen.pairs[name].astype(str).tolist() for name in slices)]
    found = run_lab(
        "evaluate-pairs",
        models,
        [chosen.key, content_id([list(map(str, chosen.pairs.columns)), extra[2:]])],
        plan=lambda: BENCHMARKS["pairs"].plan(chosen.pairs),
        result=lambda scored: evaluate("pairs", options, scored),
        extra=extra,
    )
    if found is not None:
        asked = Asked(
            "pairs",
            f"Pairs by slice: {chosen.source.name}",
            models,
            options,
            f"{chosen.python}\ntable = pairs",
            chosen.source.name,
            _source_notes(chosen),
        )
        draw("evaluate-pairs", found, asked)


def style_matrix(models: Sequence[str]) -> None:
    """The 3 x 3 matrix of RM-Bench over one's own texts."""
    how = st.segmented_control(
        "Styles",
        [BY_RULE, LISTS],
        default=BY_RULE,
        key="evaluate-styles-how",
        required=True,
        persist_state="session",
        help="Rules write each response concise, detailed and in markdown. Or give the styles "
        "yourself: a file whose chosen and rejected hold lists, plainest first.",
    )
    if how == LISTS:
        _style_lists(models)
    else:
        _styles_by_rule(models)


def _styles_by_rule(models: Sequence[str]) -> None:
    chosen = choose_pairs("evaluate-styles", most=40)
    if chosen is None:
        return
    st.caption(
        ":material/info: Every response is written by rule in three styles: concise (first "
        "sentences, no markup), detailed (more words, no more content) and markdown. RM-Bench had "
        "a language model write its styles, so these numbers are not RM-Bench's."
    )
    columns = slice_columns(chosen.pairs)
    part = st.selectbox(
        "A matrix for each",
        columns,
        index=None,
        key=f"evaluate-styles-part-{content_id(columns)}",
        placeholder="All pairs in one matrix",
        help="A column of the table, such as a domain: each of its values gets a matrix.",
    )
    options = BenchmarkOptions()

    def plan() -> Plan:
        table, left_out = styled_candidates(chosen.pairs, subset=part)
        return Plan(BENCHMARKS["styles"].plan(table).requests, left_out)

    parts = [] if part is None else chosen.pairs[part].astype(str).tolist()
    found = run_lab(
        "evaluate-styles",
        models,
        [chosen.key, part, parts],
        plan=plan,
        result=lambda scored: evaluate("styles", options, scored),
    )
    if found is not None:
        python = (
            f"{chosen.python}\n\n"
            "from core.labs.benchmarks.own_styles import styled_candidates\n\n"
            f"table, left_out = styled_candidates(pairs, subset={part!r})"
        )
        title = f"Style against substance: {chosen.source.name}"
        notes = [*_source_notes(chosen), "The styles are written by rule, not RM-Bench's own."]
        asked = Asked("styles", title, models, options, python, chosen.source.name, notes)
        draw("evaluate-styles", found, asked)


def _style_lists(models: Sequence[str]) -> None:
    file = st.file_uploader(
        "A table of styles",
        FILE_TYPES,
        key="evaluate-styles-file",
        help="Columns prompt, chosen and rejected; chosen and rejected are lists of as many "
        "responses, in the same styles and order, plainest first.",
    )
    if file is None:
        st.caption('JSON lines such as {"prompt": "…", "chosen": ["…", …], "rejected": ["…", …]}.')
        return
    data, name = file.getvalue(), file.name
    key = content_id([name, file.file_id])
    outcome = tasks().outcome(("styles-file", key), lambda: _read_lists(data, name))
    if not is_there(outcome, "Reading the file …"):
        return
    table: BenchmarkTable | None = outcome.value
    if table is None:
        st.error(
            "No row of this file holds lists of as many chosen as rejected responses.",
            icon=":material/error:",
        )
        return
    draw_problems([str(problem) for problem in table.problems])
    options = BenchmarkOptions()
    found = run_lab(
        "evaluate-style-lists",
        models,
        key,
        plan=lambda: BENCHMARKS["styles"].plan(table.candidates),
        result=lambda scored: evaluate("styles", options, scored),
    )
    if found is not None:
        python = "\n".join(
            [
                "from pathlib import Path",
                "",
                "from core.tables import read_table",
                "from core.tables.benchmarks import read_own_pairs",
                "",
                f"table = read_own_pairs(read_table(Path({name!r})))[1].candidates",
            ]
        )
        title = f"Style against substance: {name}"
        asked = Asked("styles", title, models, options, python, name, table.notes)
        draw("evaluate-style-lists", found, asked)


def _read_lists(data: bytes, name: str) -> BenchmarkTable | None:
    tables = read_own_pairs(parse_table(data, name))
    return next((table for table in tables if table.name == "styles"), None)


def draw_problems(problems: Sequence[str], *, most: int = 20) -> None:
    """Rows of a file that could not be read, the first of them."""
    if not problems:
        return
    with st.expander(f"{len(problems):,} rows could not be read", icon=":material/warning:"):
        for problem in problems[:most]:
            st.text(problem)
        if len(problems) > most:
            st.caption(f"… and {len(problems) - most:,} more")


def _source_notes(chosen: ChosenPairs) -> list[str]:
    """What choosing the pairs left out."""
    source = chosen.source
    notes = [f"{count:,} pairs left out: {reason}." for reason, count in source.left_out.items()]
    if source.problems:
        notes.append(f"{len(source.problems):,} rows of the file could not be read.")
    if len(chosen.pairs) < len(source.pairs):
        notes.append(f"{len(chosen.pairs):,} of {len(source.pairs):,} pairs, whole prompts drawn.")
    return notes


def table_text(table: pd.DataFrame) -> str:
    """How large a candidates table is, in words."""
    return plain(f"{table['item_id'].nunique():,} items, {len(table):,} conversations")
