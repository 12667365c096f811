"""The prompt awareness page: do reward models consider the prompt, and what if they do not?"""

import streamlit as st

from app_pages.common.prompt_awareness.ablations_view import ablations_view
from app_pages.common.prompt_awareness.board_view import board_view
from app_pages.common.prompt_awareness.claim import claim
from app_pages.common.prompt_awareness.live_view import live_view
from app_pages.common.prompt_awareness.matrix_view import matrix_view
from app_pages.common.prompt_awareness.parts_view import ESTIMATOR_KEY, parts_view
from app_pages.common.prompt_awareness.python_view import as_python
from app_pages.common.prompt_awareness.results import findings
from app_pages.common.prompt_awareness.setup import NAME, Setup, choose_setup
from app_pages.common.prompt_awareness.swaps_view import KIND_KEY, swaps_view
from app_pages.common.results_bar import results_bar
from core.labs.prompt_awareness.tables import to_tables

TABS = {
    ":material/shuffle: Swapped prompts": swaps_view,
    ":material/edit: One pair, live": live_view,
    ":material/grid_on: Matrix": matrix_view,
    ":material/call_split: Prompt-free part": parts_view,
    ":material/content_cut: Ablations": ablations_view,
    ":material/leaderboard: Leaderboard": board_view,
}


def tabs(setup: Setup) -> None:
    """The views of the question; only the open one is drawn and computes anything."""
    drawn = st.tabs(list(TABS), key=f"{NAME}-tab", on_change="rerun")
    for tab, view in zip(drawn, TABS.values(), strict=True):
        if tab.open:
            with tab:
                view(setup)


def take_along(setup: Setup) -> None:
    """Saving, report, tables and Python of all that was run with these choices."""
    kind = st.session_state.get(KIND_KEY, setup.options.kinds[0])
    found = findings(setup, kind)
    tables = to_tables(found)
    if not tables:
        return
    options = setup.options
    n_pairs = len(setup.chosen.pairs)
    results_bar(
        kind=NAME,
        title=f"Prompt awareness, {n_pairs} pairs",
        tables=tables,
        options={
            "kind": kind,
            "estimator": st.session_state.get(ESTIMATOR_KEY, "zero-information"),
            "kinds": list(options.kinds),
            "n_prompts": options.n_prompts,
            "topic_column": options.topic_column,
            "slice_by": options.slice_by,
            "seed": options.seed,
            "pairs": setup.chosen.source.name,
            "n_pairs": n_pairs,
        },
        models=setup.models,
        python=as_python(setup, found, kind),
        notes=[
            "Retention, flip rate, the parts of a gap and the verdicts are the workbench's own "
            "reading of arXiv 2504.06020.",
        ],
    )


st.markdown("#### Does the reward model read the prompt?")
st.caption(
    "Each pair of responses is read again under other prompts: a model that only looks at the "
    "responses keeps its preference. Press Run, or type prompts of your own under “One pair, live”."
)
setup = choose_setup()
if setup is not None:
    tabs(setup)
    claim()
    take_along(setup)
