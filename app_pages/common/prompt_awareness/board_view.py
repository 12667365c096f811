"""Tab: the models side by side, with verdicts in words and paired differences."""

import numpy as np
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.prompt_awareness.results import (
    RULES_KEY,
    Scored,
    board_of,
    evidence_of,
    kept,
    run_swaps,
    swaps_key,
)
from app_pages.common.prompt_awareness.setup import NAME, Setup, one_of
from app_pages.common.prompt_awareness.swaps_view import chosen_kind
from app_pages.common.prompt_awareness.words import MEASURE_HELP, measures_table, named_table
from app_pages.common.service import model_titles
from core.figures.prompt_awareness import retention_leaderboard
from core.labs.prompt_awareness import leaderboard
from core.labs.prompt_awareness.matrix import MatrixResult
from core.labs.prompt_awareness.swaps import SwapResult
from core.schema import content_id


def board_view(setup: Setup) -> None:
    """The whole tab."""
    found = run_swaps(setup)
    if found is None:
        st.caption(
            "Puts the chosen models in order of how little of their preference is left under other "
            "prompts, with a verdict for each."
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        kind = chosen_kind(next(iter(found.results.values())))
        with st.popover("Where the words begin", icon=":material/tune:", key=f"{NAME}-words"):
            st.slider(
                "Retention",
                0.0,
                1.5,
                (0.5, 0.8),
                0.05,
                key=RULES_KEY,
                persist_state="session",
                help="A model whose whole interval is at or below the lower end reads the prompt; "
                "one whose whole interval is at or above the upper end mostly ignores it. The "
                "thresholds are ours.",
            )
    if kind is None:
        st.info("No pair has another prompt of any kind.", icon=":material/info:")
        return
    board = board_of(setup, found, kind)
    titles = model_titles()
    for row in board.verdicts.itertuples():
        title = plain(titles.get(str(row.model), str(row.model)))
        st.markdown(f"**{title}: {row.verdict}.** {plain(str(row.reason))}")
    st.plotly_chart(
        retention_leaderboard(board, title="How much of the preference is left"),
        key=f"{NAME}-board",
        alt="Retention of each model with its interval",
    )
    st.caption(
        "Points: retention, bars: 95 % intervals over prompts. At 1 the model ignores the prompt, "
        "at 0 nothing of its preference is left under another one. No unit: models of any scale "
        "compare."
    )
    if kept("matrix", setup.pairs_key) is None:
        st.caption(":material/info: Run the matrix as well, and its measures join this table.")
    with st.expander("All measures of all models", icon=":material/table:"):
        measures_table(board.table, key=f"{NAME}-board-table")
    if len(setup.models) > 1:
        _differences(setup, found, kind)


def _differences(setup: Setup, found: Scored[SwapResult], kind: str) -> None:
    st.markdown("##### Differences, paired on the same prompts")
    baseline = one_of("Baseline", list(setup.models), "baseline", model_titles())
    cells = kept("matrix", setup.pairs_key)
    evidence = evidence_of(found, cells)
    titles = model_titles()
    state = [int(result.gaps["gap"].notna().sum()) for result in found.results.values()]
    for candidate in setup.models:
        if candidate == baseline:
            continue
        key = content_id([swaps_key(setup), kind, baseline, candidate, state, _state(cells)])
        outcome = tasks().outcome(
            ("prompt-awareness-difference", key),
            lambda candidate=candidate: leaderboard.compare(
                evidence[baseline], evidence[candidate], kind=kind, seed=setup.options.seed
            ),
        )
        names = [plain(titles.get(name, name)) for name in (candidate, baseline)]
        st.markdown(f"**{names[0]} minus {names[1]}**")
        if not is_there(outcome, "Comparing …"):
            continue
        table = outcome.value
        differs = [
            MEASURE_HELP[str(name)][0].lower() for name in table.loc[table["differs"], "measure"]
        ]
        st.caption(
            f"Told apart by {', '.join(differs)}: the whole interval is on one side of zero."
            if differs
            else "Not told apart by any measure; “detectable” says what these pairs could show."
        )
        shown = table.assign(measure=[MEASURE_HELP[str(m)][0] for m in table["measure"]])
        named_table(shown, key=f"{NAME}-difference-{candidate}")


def _state(cells: Scored[MatrixResult] | None) -> list[str]:
    """Changes whenever the matrices do."""
    results = {} if cells is None else cells.results
    return [f"{name}: {np.nansum(each.rewards.to_numpy())!r}" for name, each in results.items()]
