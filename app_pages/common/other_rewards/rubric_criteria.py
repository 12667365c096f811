"""The criteria a rubric asks: those of its card, or a visitor's own in a table."""

import pandas as pd
import streamlit as st

from app_pages.common.choices import one_of
from app_pages.common.other_rewards.work import NAME
from core.models.card import RubricPart
from core.rubric_rows import criteria_of_rows

CARD, OWN = "card", "own"
SOURCES = {CARD: "Of the card", OWN: "My own"}
MOST_CRITERIA = 12
COLUMNS = ("text", "weight", "pitfall")


def chosen_criteria(part: RubricPart) -> tuple[RubricPart | None, bool]:
    """The rubric that is asked, and whether it is the visitor's; None while it has no criterion."""
    source = one_of(
        NAME,
        "Criteria",
        list(SOURCES),
        "rubric-source",
        SOURCES,
        hint="Your own are asked of the same language model.",
    )
    if source == CARD:
        _table(part)
        return part, False
    return _own(part), True


def _table(part: RubricPart) -> None:
    rows = [
        {"criterion": c.name, "asked": c.text, "importance": c.importance, "weight": c.weight}
        for c in part.criteria
    ]
    with st.expander(f"The {len(rows)} criteria", icon=":material/checklist:"):
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def _own(part: RubricPart) -> RubricPart | None:
    """The table to edit, which begins with the card's criteria."""
    start, latest = f"{NAME}-criteria-start", f"{NAME}-criteria"
    widget = f"{NAME}-criteria-editor"
    if widget not in st.session_state:
        # The editor forgets its changes with the page; what it showed last is where it begins.
        first = [(each.text, each.weight, each.importance == "pitfall") for each in part.criteria]
        kept = st.session_state.get(latest)
        begun = pd.DataFrame(first, columns=list(COLUMNS)) if kept is None else kept
        st.session_state[start] = begun.reset_index(drop=True)
    edited = st.data_editor(
        st.session_state[start],
        key=widget,
        num_rows="dynamic",
        hide_index=True,
        width="stretch",
        column_config={
            "text": st.column_config.TextColumn(
                "Statement about the response", width="large", help="Asked as a Yes/No question."
            ),
            "weight": st.column_config.NumberColumn(
                "Weight", min_value=0.0, step=0.5, help="Above 0; 1 where it is empty."
            ),
            "pitfall": st.column_config.CheckboxColumn(
                "Pitfall", help="Something that must not be there."
            ),
        },
    )
    st.session_state[latest] = edited
    criteria, problems = criteria_of_rows(edited.to_dict(orient="records"), most=MOST_CRITERIA)
    for problem in problems:
        st.caption(f":material/error: Left out: {problem}")
    if not criteria:
        st.info("Write at least one criterion.", icon=":material/info:")
        return None
    return part.model_copy(update={"criteria": criteria})
