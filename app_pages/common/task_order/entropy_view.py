"""Tab: which tasks sharpen or flatten the policy, and the temperature a change equals."""

import numpy as np
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.lab_run import is_there
from app_pages.common.markup import plain
from app_pages.common.task_order.evidence_view import keep, result_key
from app_pages.common.task_order.setup import NAME, Setup, one_of
from core.errors import WorkbenchError
from core.figures.task_order import path_lines, temperature_curve, transfer_heat_map
from core.labs.task_order.entropy import (
    EntropyTraces,
    entropy_traces,
    logits_of,
    softmax_entropy,
    temperature_equivalent,
)


def entropy_view(setup: Setup) -> None:
    """The whole tab."""
    evaluations = setup.evaluations
    if evaluations is None or not evaluations.entropies:
        st.caption(
            ":material/info: Entropies by stage need recorded runs, or a table with a column "
            "`entropy` in nats per token. The temperature below works without them."
        )
    else:
        outcome = tasks().outcome(
            ("task-order-entropy", setup.key), lambda: entropy_traces(evaluations)
        )
        if is_there(outcome, "Reading entropies …"):
            _traces(keep("entropies", result_key(setup), outcome.value))
    _temperature()


def _traces(found: EntropyTraces) -> None:
    changes = found.changes
    told = "; ".join(_told(row) for row in found.overall.to_dict("records"))
    st.markdown(f"**By mean change of entropy over all tested tasks, nats per token:** {told}.")
    left, right = st.columns([0.42, 0.58], gap="medium")
    with left:
        st.plotly_chart(
            transfer_heat_map(changes, title="Change of entropy, nats per token"),
            key=f"{NAME}-entropy-changes",
            alt="Change of entropy on the column's task by training on the row's",
        )
        st.caption(
            f"Blue: flatter, red: sharper. {plain(found.method)}; the table has the intervals."
        )
    with right:
        order = st.selectbox(
            "Recorded order",
            list(dict.fromkeys(found.table["order"])),
            key=f"{NAME}-entropy-order",
            persist_state="session",
            help="Whose stages are drawn; mean over seeds.",
        )
        rows = found.table.loc[found.table["order"] == order]
        st.plotly_chart(
            path_lines(rows, value="entropy"),
            key=f"{NAME}-entropy-path",
            alt="Entropy on each task after each stage",
        )
    with st.expander("As a table", icon=":material/table:"):
        st.dataframe(changes, hide_index=True, key=f"{NAME}-entropy-table")
    for reason, n in found.left_out.items():
        st.caption(f":material/info: Left out: {plain(reason)} ({n}).")


def _told(row: dict[str, object]) -> str:
    """One trained task's effect on the entropy, in words that its interval allows."""
    change, low, high = (float(str(row[name])) for name in ("change", "low", "high"))
    if np.isnan(low):
        word = "has no interval"
    elif low <= 0 <= high:
        word = "cannot be told from no change"
    else:
        word = "flattens" if change > 0 else "sharpens"
    ends = "" if np.isnan(low) else f", 95 % interval {low:+.3f} to {high:+.3f}"
    return (
        f"{plain(str(row['trained']))} {word} ({change:+.3f}{ends}, {row['n_tasks']} tasks, "
        f"{row['n_problems']} problems)"
    )


def _temperature() -> None:
    st.markdown("##### The temperature that a change of entropy equals")
    left, right = st.columns([0.42, 0.58], gap="medium")
    with left:
        kind = one_of(
            "One distribution before training, as",
            ("logits", "probabilities"),
            "distribution",
            hint="For example the logits of the next token, or the shares of the answers to one "
            "problem. The equivalent is computed from this distribution alone: recorded entropies "
            "are means over tokens, which do not tell a temperature by themselves.",
        )
        typed = st.text_input(
            "Numbers",
            "2, 1, 0" if kind == "logits" else "0.665, 0.245, 0.09",
            key=f"{NAME}-{kind}",
            persist_state="session",
            max_chars=2000,
            help="With commas between, one an outcome.",
        )
        try:
            numbers = [float(part) for part in (typed or "").split(",") if part.strip()]
        except ValueError:
            st.error("Numbers with commas between, such as 2, 1, 0.", icon=":material/error:")
            return
        try:
            logits = np.array(numbers) if kind == "logits" else logits_of(numbers)
            before = softmax_entropy(logits, 1.0)
            target = st.number_input(
                "Entropy after training, in nats",
                0.0,
                20.0,
                float(round(before * 0.7, 4)),
                0.01,
                format="%.4f",
                key=f"{NAME}-target-{kind}-{typed}",
                help="Which temperature gives the old distribution this entropy?",
            )
            found = temperature_equivalent([logits], float(target))
        except WorkbenchError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        word = "sharpens" if found < 1 else "flattens"
        st.metric("Temperature equivalent", f"{found:.3f}", help="1 is no change.")
        st.caption(
            f"Entropy {before:.4f} before, {target:.4f} after: as if the policy had been sampled "
            f"at temperature {found:.2f}, which {word} it. Computed from this one distribution of "
            f"{len(numbers)} outcomes."
        )
    with right:
        st.plotly_chart(
            temperature_curve(logits, target=float(target), found=found),
            key=f"{NAME}-temperature",
            alt="Entropy of the distribution by temperature",
        )
