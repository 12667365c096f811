"""Tab: what the reward loses without the question, and with broken reasoning."""

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.prompt_awareness.results import run_ablations
from app_pages.common.prompt_awareness.setup import NAME, Setup, one_model, one_of
from app_pages.common.prompt_awareness.words import left_out_note, named_table, noise_note
from app_pages.common.service import model_titles
from core.figures.prompt_awareness import ablation_bars
from core.labs.pairs import SIDES
from core.labs.prompt_awareness.ablations import (
    DEFAULT_ABLATIONS,
    REMOVE_QUESTION,
    AblationOptions,
    AblationResult,
    ablation,
)
from core.perturbations import perturbations

SIDE_NAMES = {"chosen": "chosen responses", "rejected": "rejected responses", "both": "both"}
COLUMNS = (
    "ablation", "in_spreads", "change", "low", "high", "drop_rate", "adjusted_p", "n", "n_prompts",
    "smallest_detectable", "beyond_question", "beyond_question_low", "beyond_question_high",
    "left_out",
)  # fmt: skip


def ablations_view(setup: Setup) -> None:
    """The whole tab."""
    options = _options(setup)
    found = run_ablations(setup, options)
    if found is None:
        st.caption(
            "Takes the question away, changes a number, drops or swaps steps, and shows how far "
            "each moves the reward. A model that checks answers against the question loses most "
            "without it."
        )
        return
    side = one_of("Shown", list(options.sides), "ablation-side", SIDE_NAMES)
    st.plotly_chart(
        ablation_bars(found.results, side=side, title="Change of the reward by ablation"),
        key=f"{NAME}-ablations",
        alt="Mean reward change of each ablation, with intervals",
    )
    st.caption(
        "Each change is paired with the same response unedited and divided by the standard "
        "deviation of that model's unedited rewards, so that models share the axis. Bars: 95 % "
        "intervals over prompts."
    )
    model = one_model(setup.models)
    result = found.results[model]
    _headline(model, result, side)
    changes = {name: each.changes["change"].dropna() for name, each in found.results.items()}
    noise_note(changes, "changes")
    left_out_note(result.left_out)
    _table(result, side)


def _options(setup: Setup) -> AblationOptions:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        names = list(dict.fromkeys([*DEFAULT_ABLATIONS, *(p.name for p in perturbations())]))
        chosen = st.multiselect(
            "Ablations",
            names,
            default=list(DEFAULT_ABLATIONS),
            format_func=lambda name: ablation(name).title,
            key=f"{NAME}-ablation-names",
            persist_state="session",
            help="The first two edit the prompt, all others the response.",
        )
        sides = one_of("Of", list(SIDE_NAMES), "ablation-sides", SIDE_NAMES)
    return AblationOptions(
        ablations=tuple(chosen or DEFAULT_ABLATIONS),
        sides=SIDES if sides == "both" else (sides,),
        seed=setup.options.seed,
    )


def _headline(model: str, result: AblationResult, side: str) -> None:
    """What the question is worth beside the strongest other ablation."""
    effects = {name: effect for (name, of), effect in result.effects.items() if of == side}
    question = effects.pop(REMOVE_QUESTION, None)
    title = plain(model_titles().get(model, model))
    if question is None or not question.change.estimate.n:
        return
    value = question.in_spreads.estimate
    st.markdown(
        f"**{title}**: without the question the reward moves by {value.value:+.2f} standard "
        f"deviations ({value.confidence:.0%} interval {value.low:+.2f} to {value.high:+.2f}, "
        f"n = {value.n})."
    )
    stronger = [
        ablation(name).title
        for name, effect in effects.items()
        if effect.beyond_question is not None and effect.beyond_question.estimate.low > 0
    ]
    if stronger:
        st.markdown(
            f"These edits of the response move it more than losing the question does, with the "
            f"whole interval above zero: {plain(', '.join(stronger))}."
        )
    else:
        st.markdown("No other edit is shown to move it more than losing the question does.")


def _table(result: AblationResult, side: str) -> None:
    with st.expander("All ablations in numbers", icon=":material/table:"):
        st.caption(
            "change: mean of edited minus unedited reward, with its interval; drop rate: share of "
            "responses whose reward falls; beyond question: by how much its size exceeds that of "
            "losing the question, on the same responses."
        )
        table = result.table()
        rows = table.loc[table["side"] == side, list(COLUMNS)]
        named_table(
            rows.assign(ablation=[ablation(name).title for name in rows["ablation"]]),
            key=f"{NAME}-ablation-table",
        )
    with st.expander("What was changed, response by response", icon=":material/edit:"):
        shown: pd.DataFrame = result.changes.loc[result.changes["side"] == side]
        named_table(shown, key=f"{NAME}-ablation-changes", height=280)
