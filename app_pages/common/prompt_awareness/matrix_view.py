"""Tab: every prompt with every response. Ranks of the own ones, and where variance comes from."""

import pandas as pd
import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.prompt_awareness.results import Scored, run_matrix
from app_pages.common.prompt_awareness.setup import NAME, Setup, one_model, one_of
from app_pages.common.prompt_awareness.texts import open_button, side_by_side
from app_pages.common.prompt_awareness.words import (
    left_out_note,
    measure_metric,
    measures_table,
    named_table,
    number,
)
from app_pages.common.service import model_titles
from core.figures.prompt_awareness import heat_map, variance_bars
from core.labs.prompt_awareness.matrix import MatrixOptions, MatrixResult
from core.labs.prompt_awareness.tables import matrix_measures

FIRST_PROMPTS, MOST_PROMPTS = 20, 60
SHOWN = {"interaction": "fit alone (interaction)", "reward": "reward"}
SIDES = {"chosen": "chosen responses", "both": "chosen and rejected"}


def matrix_view(setup: Setup) -> None:
    """The whole tab."""
    options = _options(setup)
    if options is None:
        return
    found = run_matrix(setup, options)
    if found is None:
        st.caption(
            "Reads every response under every prompt. A model that reads the prompt gives its own "
            "response the most reward under each prompt: the framed diagonal stands out."
        )
        return
    model = one_model(setup.models)
    result = found.results[model]
    _headline(model, result)
    left_out_note(result.left_out)
    _figures(found, model)
    with st.expander("All measures", icon=":material/table:"):
        measures_table(matrix_measures(result), key=f"{NAME}-matrix-measures")
    _preferred_others(setup, found, result)


def _options(setup: Setup) -> MatrixOptions | None:
    n_prompts = setup.chosen.pairs["prompt_id"].nunique()
    if n_prompts < 2:
        st.info(
            "The matrix needs at least two prompts. Choose the authored pairs or a file above.",
            icon=":material/info:",
        )
        return None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        most = st.number_input(
            "Prompts",
            2,
            MOST_PROMPTS,
            min(FIRST_PROMPTS, n_prompts),
            key=f"{NAME}-matrix-prompts-{min(FIRST_PROMPTS, n_prompts)}",
            persist_state="session",
            width=140,
            help="The cost is prompts × responses. The first pair of each prompt enters.",
        )
        responses = one_of("Responses", list(SIDES), "matrix-responses", SIDES)
    return MatrixOptions(
        responses="both" if responses == "both" else "chosen",
        most_prompts=int(most),
        seed=setup.options.seed,
    )


def _headline(model: str, result: MatrixResult) -> None:
    ranks, shares = result.prompt_ranks, result.shares
    title = plain(model_titles().get(model, model))
    rank = ranks.reciprocal_rank.estimate
    if rank.low > ranks.chance_reciprocal_rank:
        finding = "finds the own response of a prompt more often than chance would"
    elif rank.high < ranks.chance_reciprocal_rank:
        finding = "puts the own response of a prompt lower than chance would"
    else:
        finding = "is not shown to find the own response of a prompt better than chance"
    st.markdown(
        f"**{title} {finding}**; {number('interaction_share', shares.interaction.estimate.value)} "
        "of its rewards' variance is about prompt and response together."
    )
    columns = st.columns(4)
    measured = (
        ("own_response_rank", ranks.rank, ranks.chance_rank),
        ("own_response_reciprocal_rank", ranks.reciprocal_rank, ranks.chance_reciprocal_rank),
        ("own_prompt_rank", result.response_ranks.rank, result.response_ranks.chance_rank),
        ("interaction_share", shares.interaction, None),
    )
    for column, (name, value, chance) in zip(columns, measured, strict=True):
        with column:
            measure_metric(name, value, note="" if chance is None else f"chance {chance:.2f}")


def _figures(found: Scored[MatrixResult], model: str) -> None:
    result = found.results[model]
    show = one_of("Colour", list(SHOWN), "matrix-colour", SHOWN)
    st.plotly_chart(
        heat_map(
            result,
            title=model_titles().get(model, model),
            show="reward" if show == "reward" else "interaction",
        ),
        key=f"{NAME}-heat-map",
        alt="Reward of every prompt with every response",
    )
    n_prompts, n_responses = result.rewards.shape
    st.caption(
        f"{n_prompts} prompts × {n_responses} responses; framed: a response under its own prompt. "
        "Whole columns of one colour are responses the model likes whatever is asked, whole rows "
        "prompts it scores high. In the interaction both are taken out: what is left is fit."
    )
    st.plotly_chart(
        variance_bars({name: each.shares for name, each in found.results.items()}),
        key=f"{NAME}-variance",
        alt="Share of reward variance by prompt, response and their interaction",
    )
    st.caption(
        f"n = {n_prompts} prompts, interval by leaving out each prompt in turn. Interaction also "
        "holds scoring noise. A share depends on the number of prompts: compare models on one "
        "matrix only."
    )


def _preferred_others(setup: Setup, found: Scored[MatrixResult], result: MatrixResult) -> None:
    st.markdown("##### Prompts that prefer another prompt's response")
    ranks = result.prompt_ranks.ranks
    rows = ranks.loc[ranks["rank"] > 1].sort_values("rank", ascending=False, kind="stable")
    if rows.empty:
        st.caption("Every own response has the highest reward under its prompt.")
        return
    shown = rows[["prompt_id", "side", "rank", "n_candidates", "own_reward", "best_other"]]
    st.caption(
        f"{len(rows)} of {int(ranks['rank'].notna().sum())} prompts. Select a row to read both."
    )
    event = named_table(
        shown,
        key=f"{NAME}-preferred",
        on_select="rerun",
        selection_mode="single-row",
        height=220,
    )
    selected = [row for row in event["selection"]["rows"] if row < len(rows)]
    if selected:
        _preferred(setup, found, result, rows.iloc[selected[0]])


def _preferred(
    setup: Setup,
    found: Scored[MatrixResult],
    result: MatrixResult,
    row: "pd.Series[object]",
) -> None:
    cells = result.cells.loc[result.cells["prompt_id"] == row["prompt_id"]]
    cells = cells.loc[cells["side"] == row["side"]].set_index("response_id")
    own_id = str(cells.index[cells["own"]][0])
    other_id = str(row["best_other"])
    own, other = cells.loc[own_id], cells.loc[other_id]
    with st.container(border=True):
        side_by_side({"prompt": own["prompt_text"]})
        side_by_side(
            {
                f"own response, reward {own['reward']:.3f}": own["response_text"],
                f"another prompt's, reward {other['reward']:.3f}": other["response_text"],
            }
        )
        conversations = found.conversations
        open_button(
            setup,
            conversations[row["prompt_id"], other_id],
            conversations[row["prompt_id"], own_id],
            key="preferred",
            labels=("own response", "another prompt's response"),
            hint="The other prompt's response on screen, the own one pinned as the baseline.",
        )
