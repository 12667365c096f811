"""Saved runs: opened again as they were saved, two side by side, taken along, deleted."""

import streamlit as st

from app_pages.common import runs_view
from app_pages.common.hosting import is_local
from app_pages.common.markup import plain
from app_pages.common.results_bar import SHARED
from core.errors import WorkbenchError
from core.runs import SavedRuns, list_runs


def saved_runs() -> SavedRuns:
    """What is in the folder of runs."""
    try:
        return list_runs()
    except WorkbenchError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return SavedRuns(())


st.markdown("#### Saved runs")
st.caption(
    "What did an earlier run say, and what changed since? Click a row to open it as it was saved, "
    "or two to see them side by side."
)
if not is_local():
    st.caption(f":material/groups: {SHARED} You can delete what you saved in this visit.")
runs_view.show_message()
saved = saved_runs()
if saved.runs:
    runs_view.runs_table(saved.runs)
    chosen = runs_view.choose_runs(saved.runs)
    if len(chosen) == 2:
        runs_view.show_two(chosen[0], chosen[1])
    elif chosen:
        runs_view.show_one(chosen[0])
else:
    st.info(
        "No run is saved yet. Open a lab, press Run, and below its result press Save as run.",
        icon=":material/save:",
    )
runs_view.damaged(saved.problems)
