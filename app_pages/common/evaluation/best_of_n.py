"""Best-of-n and over-optimisation: proxies pick, the gold reward says what the picks are worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.background import tasks
from app_pages.common.evaluation.own_pairs import SEED_HELP, draw_problems
from app_pages.common.evaluation.references import draw_reference
from app_pages.common.lab_run import is_there, run_lab
from app_pages.common.markup import plain
from app_pages.common.open_in_playground import open_in_playground
from app_pages.common.pair_choice import FILE_TYPES, choose_pairs
from app_pages.common.results_bar import results_bar
from app_pages.common.section_view import draw_section, readable
from app_pages.common.service import model_titles
from core.labs.best_of_n import BestOfNOptions, BestOfNResult, plan, run
from core.labs.best_of_n.picks import picks
from core.labs.best_of_n.pools import pool_of_pairs
from core.labs.plan import CONVERSATION, ERROR, REWARD
from core.perturbations import get, perturbations
from core.report import result_sections
from core.schema import content_id
from core.tables import parse_table, read_conversations
from core.tables.responses import number_columns, responses_table

KIND = "best-of-n"
POOL, FILE = "Pairs and edits of them", "My file of responses"
DEFAULT_EDITS = ("padding", "flattery", "markdown")
A_MODEL = "A reward model"
SHOWN_PICKS = 200


@dataclass(frozen=True)
class _Responses:
    """Responses to score: the table, what tells it from others, its gold columns, its Python."""

    table: pd.DataFrame
    key: str
    gold_columns: tuple[str, ...]
    name: str
    python: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What the lab found; models without a reward are named in `unscored`."""

    result: BestOfNResult | None
    picks: pd.DataFrame
    scored: Mapping[str, pd.DataFrame]
    unscored: Mapping[str, str]


def best_of_n(models: Sequence[str]) -> None:
    """The lab: responses, gold reward, run, curves."""
    where = st.segmented_control(
        "Responses",
        [POOL, FILE],
        default=POOL,
        key="best-of-n-where",
        required=True,
        persist_state="session",
    )
    responses = _pool() if where == POOL else _file()
    if responses is None:
        return
    options = _options(responses, models)
    if options is None:
        return
    gold_model = options.gold_model
    scoring = [*models, *([gold_model] if gold_model and gold_model not in models else [])]
    if gold_model is not None and set(models) <= {gold_model}:
        st.info("The gold reward cannot be the only model: choose one more as the proxy.")
        return
    found = run_lab(
        KIND,
        scoring,
        responses.key,
        plan=lambda: plan(responses.table),
        result=lambda scored: _compute(scored, options),
        extra=repr(options),
    )
    if found is not None:
        _draw(found, responses, options, scoring)


def _pool() -> _Responses | None:
    """The responses of pairs and edits of them that change only the manner."""
    chosen = choose_pairs("best-of-n", most=40)
    if chosen is None:
        return None
    names = [each.name for each in perturbations("shortcut") if each.target == "response"]
    edits = st.multiselect(
        "Edits that change only the manner",
        names,
        default=[name for name in DEFAULT_EDITS if name in names],
        format_func=lambda name: get(name).title,
        key="best-of-n-edits",
        help="Every response also enters in these forms, in all doses. An edited response is worth "
        "what the unedited one is, so a proxy that prefers it has been fooled.",
    )
    key = content_id([chosen.key, list(edits)])
    outcome = tasks().outcome(("pool", key), lambda: pool_of_pairs(chosen.pairs, edits=edits))
    if not is_there(outcome, "Writing the responses …"):
        return None
    table, left_out = outcome.value
    n_prompts = table["prompt_id"].nunique()
    st.caption(
        f":material/info: {len(table):,} responses to {n_prompts:,} prompts, made by rule and not "
        "sampled from a policy: the curves show what a proxy falls for, not how soon a policy "
        "would get there. Gold is 1 for what was chosen and 0 for what was rejected, however it "
        "is dressed."
    )
    python = (
        f"{chosen.python}\n\n"
        "from core.labs.best_of_n.pools import pool_of_pairs\n\n"
        f"responses, left_out = pool_of_pairs(pairs, edits={list(edits)!r})"
    )
    notes = [
        "Responses are made by rule, not sampled from a policy.",
        *(f"{count:,} edits did not apply: {reason}" for reason, count in left_out.items()),
    ]
    return _Responses(table, key, ("gold",), chosen.source.name, python, tuple(notes))


def _file() -> _Responses | None:
    """An upload with several responses to each prompt."""
    file = st.file_uploader(
        "A table of responses",
        FILE_TYPES,
        key="best-of-n-file",
        help="Columns prompt and response, several rows a prompt (or a list of responses in a "
        "row). A column of numbers, or of true and false, may be the gold reward.",
    )
    if file is None:
        st.caption("JSON lines, JSON, CSV or Parquet with prompt, response and a gold column.")
        return None
    data, name = file.getvalue(), file.name
    key = content_id(["responses", name, file.file_id])
    outcome = tasks().outcome(
        ("responses", key), lambda: read_conversations(parse_table(data, name))
    )
    if not is_there(outcome, "Reading the file …"):
        return None
    conversations = outcome.value
    understood = tasks().outcome(("responses-table", key), lambda: responses_table(conversations))
    if not is_there(understood, "Reading the file …"):
        return None
    draw_problems([str(problem) for problem in conversations.problems])
    table: pd.DataFrame = understood.value
    python = "\n".join(
        [
            "from pathlib import Path",
            "",
            "from core.tables import read_conversations, read_table",
            "from core.tables.responses import responses_table",
            "",
            f"responses = responses_table(read_conversations(read_table(Path({name!r}))))",
        ]
    )
    return _Responses(table, key, tuple(number_columns(table)), name, python)


def _options(responses: _Responses, models: Sequence[str]) -> BestOfNOptions | None:
    """The gold reward and how the ensembles are made."""
    left, middle, right = st.columns([0.5, 0.3, 0.2], vertical_alignment="bottom")
    titles = model_titles()
    with left:
        gold = st.selectbox(
            "Gold reward",
            [*responses.gold_columns, A_MODEL],
            key=f"best-of-n-gold-{content_id(list(responses.gold_columns))}",
            format_func=lambda each: each if each == A_MODEL else f"Column {each}",
            help="What a response is really worth: a label, a verifier's column, or the reward of "
            "a model you trust more than the proxies.",
        )
    gold_model = None
    with middle:
        if gold == A_MODEL:
            gold_model = st.selectbox(
                "Gold model",
                list(titles),
                index=None,
                format_func=lambda each: titles.get(each, each),
                key="best-of-n-gold-model",
                placeholder="Choose one",
            )
        weight = 0.5
        if len([model for model in models if model != gold_model]) > 1:
            weight = st.slider(
                "λ of mean − λ · variance",
                0.0,
                2.0,
                0.5,
                0.1,
                key="best-of-n-weight",
                help="How much the ensemble distrusts responses on which the proxies disagree.",
            )
    with right:
        seed = st.number_input("Seed", 0, 10**6, 0, key="best-of-n-seed", help=SEED_HELP)
    if gold == A_MODEL and gold_model is None:
        st.caption(":material/arrow_upward: Choose the model whose reward is the gold one.")
        return None
    return BestOfNOptions(
        gold=str(gold) if gold != A_MODEL else "gold",
        gold_model=gold_model,
        variance_weight=float(weight),
        seed=int(seed),
    )


def _compute(scored: Mapping[str, pd.DataFrame], options: BestOfNOptions) -> _Found:
    """The result over the models that have rewards; takes time, so not for a script."""
    has_reward = {
        model: bool(np.isfinite(table[REWARD].to_numpy(dtype=np.float64)).any())
        for model, table in scored.items()
    }
    unscored = {
        model: next((str(error) for error in table[ERROR] if error), "no reason given")
        for model, table in scored.items()
        if not has_reward[model]
    }
    kept = {model: table for model, table in scored.items() if has_reward[model]}
    proxies = [model for model in kept if model != options.gold_model]
    if not proxies or (options.gold_model is not None and options.gold_model not in kept):
        return _Found(None, pd.DataFrame(), kept, unscored)
    return _Found(run(kept, options), picks(kept, options), kept, unscored)


def _draw(
    found: _Found, responses: _Responses, options: BestOfNOptions, models: Sequence[str]
) -> None:
    for model, reason in found.unscored.items():
        st.error(plain(f"{model} gave no reward at all: {reason}"), icon=":material/error:")
    if found.result is None:
        return
    tables = {
        "curves": found.result.curves,
        "fits": found.result.fits,
        "drops": found.result.drops,
        "policies": found.result.policies,
        "picks": found.picks.drop(columns=["picked_row", "best_row"]),
    }
    chosen: dict[str, object] = {
        "gold_title": found.result.gold,
        "gold": options.gold,
        "gold_model": options.gold_model,
        "variance_weight": options.variance_weight,
        "seed": options.seed,
        "confidence": options.confidence,
        "data": responses.name,
        "models": list(models),
    }
    for place, section in enumerate(result_sections(KIND, tables, chosen)):
        draw_section(section, f"{KIND}-{place}")
    notes = [
        f"{found.result.n_prompts:,} prompts are used.",
        *responses.notes,
        *found.result.notes,
        *(f"{count:,} left out: {reason}." for reason, count in found.result.left_out.items()),
    ]
    for note in notes:
        st.caption(f":material/info: {plain(note)}")
    draw_reference(KIND)
    if len(found.picks):
        _picks(found, models)
    results_bar(
        kind=KIND,
        title=f"Best of n: {responses.name}",
        tables=tables,
        options=chosen,
        models=[model for model in models if model in found.scored],
        python=_python(responses, options, models),
        notes=notes,
    )


def _picks(found: _Found, models: Sequence[str]) -> None:
    """What the proxies pick, the costliest picks first; a click opens one in the playground."""
    st.markdown("##### Look at single picks")
    st.caption("Lost: gold reward of the best response minus that of the pick. Click a row.")
    shown = found.picks.head(SHOWN_PICKS)
    event = st.dataframe(
        readable(shown.drop(columns=["picked_row", "best_row"])),
        hide_index=True,
        height=250,
        key=f"{KIND}-picks",
        on_select="rerun",
        selection_mode="single-row",
    )
    rows = event["selection"]["rows"]
    if not rows or rows[0] >= len(shown):
        return
    row = shown.iloc[rows[0]]
    conversations = next(iter(found.scored.values()))[CONVERSATION]
    picked = conversations.iloc[int(row["picked_row"])]
    best = conversations.iloc[int(row["best_row"])]
    with st.container(border=True):
        st.text(picked[-2]["content"] if len(picked) > 1 else "")
        for column, title, text in zip(
            st.columns(2), ("Picked", "Best"), (row["picked"], row["best"]), strict=True
        ):
            with column:
                st.caption(title)
                st.text(text)
        if st.button("Open in the playground", key=f"{KIND}-open", icon=":material/edit_note:"):
            open_in_playground(picked, best, models, labels=("best by gold", "picked"))


def _python(responses: _Responses, options: BestOfNOptions, models: Sequence[str]) -> str:
    return "\n".join(
        [
            responses.python,
            "",
            "from core.engine.service import get_service",
            "from core.labs.best_of_n import BestOfNOptions, plan, run",
            "",
            "wanted = plan(responses)",
            "scored = {}",
            f"for model in {list(models)!r}:",
            "    rewards = get_service().score(model, wanted.conversations())",
            '    scored[model] = wanted.scored(rewards["reward"], rewards["error"].tolist())',
            f"result = run(scored, {options!r})",
            "print(result.curves.to_string(index=False))",
        ]
    )
