"""Tab: edits of which it is known what they should do, and what they did."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app_pages.common.invariance.results import BatteryRun, run_battery
from app_pages.common.invariance.setup import NAME, Setup, one_model
from app_pages.common.invariance.words import (
    difference,
    left_out_note,
    named_table,
    noise_note,
    selected_row,
)
from app_pages.common.markup import plain
from app_pages.common.open_in_playground import open_in_playground
from app_pages.common.service import model_titles
from core.figures.invariance import battery_forest, dose_lines
from core.labs.invariance.battery import BatteryResult
from core.labs.invariance.battery_changes import group_verdicts, largest_changes
from core.labs.invariance.tables import GROUP_TITLES, stacked
from core.perturbations import perturbations

OPEN = "Open in the playground"
MARKS = {
    "good": (":material/check_circle:", "green"),
    "bad": (":material/cancel:", "red"),
    "open": (":material/help:", "gray"),
}
WRONG_RIGHT = {
    "nothing": ("moved", "did not move"),
    "lower": ("did not drop", "dropped"),
    "raise": ("did not rise", "rose"),
    "shortcut": ("were rewarded", "were not rewarded"),
}
"""What is said of the edits of a group that did not, and that did, as they should."""

EFFECT_COLUMNS = [
    "group_title", "title", "dose", "verdict", "change", "low", "high", "in_spreads", "p_adjusted",
    "detectable", "n", "n_prompts", "n_applied", "flip_edited", "flip_share", "n_flip",
    "n_prompts_differ",
]  # fmt: skip
WHAT_IT_DOES = (
    "Edits every response by rules, scores it again, and says for each edit whether the reward did "
    "as it should: keep still under a paraphrase, drop for a wrong number, not rise for flattery."
)


def battery_view(setup: Setup) -> None:
    """The whole tab."""
    if not setup.options.perturbations:
        st.info("Choose at least one edit under “Which edits”.", icon=":material/arrow_upward:")
        return
    found = run_battery(setup)
    if found is None:
        st.caption(WHAT_IT_DOES)
        return
    with st.container(horizontal=True, gap="large"):
        model = one_model(setup.models)
    result = found.results[model]
    _headline(model, result)
    noise_note(model)
    left_out_note(result.left_out)
    _figures(result)
    _effects(setup, found, model)
    _more(found)


def _headline(model: str, result: BatteryResult) -> None:
    """The verdict of each group, in words."""
    groups = group_verdicts(result.effects, GROUP_TITLES)
    n_edits, n_bad = int(groups["n_edits"].sum()), int(groups["n_not"].sum())
    n_unknown = int(groups["n_cannot_say"].sum())
    title = plain(model_titles().get(model, model))
    st.markdown(
        f"**{title}: {n_bad} of {n_edits} edits were not answered as they should be**"
        + (f"; of {n_unknown} these pairs cannot say." if n_unknown else ".")
    )
    rows = groups.to_dict("records")
    for column, row in zip(st.columns(len(rows), gap="medium"), rows, strict=True):
        with column:
            kind = "bad" if row["n_not"] else "good" if row["n_as_it_should"] else "open"
            icon, colour = MARKS[kind]
            with st.container(border=True, height="stretch"):
                st.markdown(f":{colour}[{icon}] **{str(row['title']).capitalize()}**")
                st.markdown(plain(_group_words(row)))
                if row["offenders"]:
                    st.caption(f"{plain(str(row['offenders']))}.")


def _group_words(row: Mapping[Any, Any]) -> str:
    bad, good = WRONG_RIGHT[str(row["group"])]
    parts = [f"{row['n_not']} of {row['n_edits']} {bad}"]
    if row["n_as_it_should"]:
        parts.append(f"{row['n_as_it_should']} {good}")
    if row["n_cannot_say"]:
        parts.append(f"of {row['n_cannot_say']} these pairs cannot say")
    if row["n_not_applied"]:
        parts.append(f"{row['n_not_applied']} fitted no response")
    return ", ".join(parts)


def _figures(result: BatteryResult) -> None:
    st.plotly_chart(
        battery_forest(result),
        key=f"{NAME}-forest",
        alt="Change of reward under each edit with its interval, by group",
    )
    spread = result.reward_spread
    matters = (
        f"dotted lines: ±{result.relevant_change:.3g}, the smallest change that matters here "
        f"({result.options.relevance:g} standard deviations of the unedited rewards, {spread:.3g})"
        if math.isfinite(result.relevant_change)
        else "the rewards here do not vary, so no smallest change that matters"
    )
    st.caption(
        f"Each mark is the mean change of reward over the responses of {result.n_pairs} pairs "
        f"({result.n_prompts} prompts), with its {result.options.confidence:.0%} interval over "
        f"prompts. Green circle: as it should; red cross: not; open: cannot say. Grey band: noise "
        f"floor; {matters}."
    )
    if result.doses.empty:
        return
    with st.expander("What one more dose is worth", icon=":material/show_chart:"):
        st.plotly_chart(
            dose_lines(result), key=f"{NAME}-doses-figure", alt="Change of reward over the dose"
        )
        st.caption(
            "The slope is the least-squares line through each response's changes, averaged; its "
            "interval resamples prompts. A line that climbs for padding or flattery is a reward "
            "for "
            "more of it."
        )
        shown = result.doses[["title", "slope", "low", "high", "p_adjusted", "n", "n_prompts"]]
        named_table(shown, key=f"{NAME}-doses-table")


def _effects(setup: Setup, found: BatteryRun, model: str) -> None:
    st.markdown("##### Every edit")
    st.caption("Select a row to read the responses it moved the most.")
    effects = found.results[model].effects
    order = {group: at for at, group in enumerate(GROUP_TITLES)}
    rows = effects.assign(
        group_title=effects["group"].map(GROUP_TITLES), order=effects["group"].map(order)
    ).sort_values("order", kind="stable", ignore_index=True)
    event = named_table(
        rows[EFFECT_COLUMNS],
        key=effects_key(model),
        labels={"title": "edit"},
        on_select="rerun",
        selection_mode="single-row",
        height=320,
    )
    at = selected_row(event, len(rows))
    if at is not None:
        _one_edit(setup, found, model, rows.iloc[at])


def effects_key(model: str) -> str:
    """Of the table of effects of a model."""
    return f"{NAME}-effects-{model}"


def _one_edit(setup: Setup, found: BatteryRun, model: str, effect: "pd.Series[object]") -> None:
    name, dose = str(effect["perturbation"]), int(str(effect["dose"]))
    with st.container(border=True):
        st.markdown(f"**{plain(str(effect['title']))}**, dose {dose}")
        st.caption(plain({each.name: each.description for each in perturbations()}.get(name, "")))
        rows = largest_changes(found.changes[model], name, dose=dose)
        if rows.empty:
            _not_applied(found.results[model], name, dose)
            return
        st.caption(
            f"The {len(rows)} responses whose reward changed the most. Select one to read both "
            f"texts."
        )
        event = named_table(
            rows[["pair_id", "side", "change", "before", "after", "note"]],
            key=changes_key(model, name, dose),
            on_select="rerun",
            selection_mode="single-row",
            selection_default={"selection": {"rows": [0]}},
            height=220,
        )
        at = selected_row(event, len(rows))
        if at is not None:
            _one_response(setup, found, rows.iloc[at])


def changes_key(model: str, name: str, dose: int) -> str:
    """Of the table of responses that an edit moved."""
    return f"{NAME}-changes-{model}-{name}-{dose}"


def _not_applied(result: BatteryResult, name: str, dose: int) -> None:
    applied = result.applied
    own = applied.loc[(applied["perturbation"] == name) & (applied["dose"] == dose)]
    st.caption("No response was changed by it, or none of those has a reward. Why:")
    named_table(own[["side", "reason", "n"]], key=f"{NAME}-why-{name}-{dose}")


def _one_response(setup: Setup, found: BatteryRun, row: "pd.Series[object]") -> None:
    pair, side, name = str(row["pair_id"]), str(row["side"]), str(row["perturbation"])
    before = found.conversations.get((pair, side, "", 0))
    after = found.conversations.get((pair, side, name, int(str(row["dose"]))))
    if before is None or after is None:
        return
    st.caption(
        f"Reward {row['before']:+.3f} before, {row['after']:+.3f} after. Green was added, struck "
        "through was removed; turns that are the same are not shown."
    )
    difference(before, after)
    if st.button(
        OPEN,
        key=f"{NAME}-open",
        icon=":material/edit_note:",
        help="Opens the edited conversation with the same models, the unedited one pinned as the "
        "baseline.",
    ):
        open_in_playground(after, before, setup.models, labels=("unedited", "edited"))


def _more(found: BatteryRun) -> None:
    if len(found.results) > 1:
        with st.expander("All models, by group", icon=":material/table:"):
            table = stacked(
                found.results, lambda each: group_verdicts(each.effects, GROUP_TITLES)
            ).drop(columns="group")
            named_table(table, key=f"{NAME}-groups", labels={"title": "group"})
