"""Benchmark results of several models: computed in the background, drawn, opened item by item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import streamlit as st

from app_pages.common.evaluation.references import draw_reference
from app_pages.common.markup import plain
from app_pages.common.open_in_playground import open_in_playground
from app_pages.common.results_bar import results_bar
from app_pages.common.section_view import draw_section, readable
from app_pages.common.service import model_titles, noise_floor
from core.labs.benchmarks import BENCHMARKS, BenchmarkOptions, BenchmarkResult
from core.labs.benchmarks.side_by_side import item_margins, models_tables
from core.labs.plan import CONVERSATION, ERROR, REWARD
from core.report import result_sections
from core.schema import Message

KIND = "evaluation"
SHOWN_ITEMS = 200


@dataclass(frozen=True)
class Evaluated:
    """What scoring a benchmark gave.

    Attributes:
        results: by model.
        margins: by model, its items by how clearly they are decided.
        scored: by model, its scored plan.
        unscored: models without a single reward, and why.
    """

    results: Mapping[str, BenchmarkResult]
    margins: Mapping[str, pd.DataFrame]
    scored: Mapping[str, pd.DataFrame]
    unscored: Mapping[str, str]

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of all models, as a run keeps them."""
        return models_tables(self.results)

    def notes(self) -> list[str]:
        """What a reader of the numbers has to know: missing parts, notes, what was left out."""
        notes: dict[str, None] = {}
        for model, result in self.results.items():
            if result.missing:
                notes[f"Missing for an official score: {'; '.join(result.missing)}."] = None
            notes |= dict.fromkeys(result.notes)
            for reason, count in result.left_out.items():
                notes[f"{model}: {count:,} items left out: {reason}."] = None
        for model, reason in self.unscored.items():
            notes[f"{model} gave no reward at all: {reason}"] = None
        return list(notes)


@dataclass(frozen=True)
class Asked:
    """What was evaluated: for the report, the manifest and the Python.

    Attributes:
        benchmark: name of the benchmark.
        title: what the result is called.
        models: ids.
        options: how it is scored.
        python: the lines that give `table` (candidates) or `pairs`.
        data: where the texts come from.
        notes: what the reading of the data told.
    """

    benchmark: str
    title: str
    models: Sequence[str]
    options: BenchmarkOptions
    python: str
    data: str
    notes: Sequence[str] = field(default_factory=tuple)


def evaluate(name: str, options: BenchmarkOptions, scored: Mapping[str, pd.DataFrame]) -> Evaluated:
    """The results of every model that has a reward; takes time, so not for a script."""
    has_reward = {
        model: bool(np.isfinite(table[REWARD].to_numpy(dtype=np.float64)).any())
        for model, table in scored.items()
    }
    kept = {model: table for model, table in scored.items() if has_reward[model]}
    return Evaluated(
        results={model: BENCHMARKS[name].run(table, options) for model, table in kept.items()},
        margins={model: item_margins(table) for model, table in kept.items()},
        scored=kept,
        unscored={
            model: next((str(error) for error in table[ERROR] if error), "no reason given")
            for model, table in scored.items()
            if not has_reward[model]
        },
    )


def draw(name: str, found: Evaluated, asked: Asked) -> None:
    """Draws results: what they mean, figures, tables, single items, what can be taken along."""
    for model, reason in found.unscored.items():
        st.error(plain(f"{model} gave no reward at all: {reason}"), icon=":material/error:")
    if not found.results:
        return
    _missing(found)
    tables = found.tables()
    options = run_options(asked)
    for place, section in enumerate(result_sections(KIND, tables, options)):
        draw_section(section, f"{name}-{place}")
    for note in dict.fromkeys(note for each in found.results.values() for note in each.notes):
        st.caption(f":material/info: {plain(note)}")
    _left_out(found)
    _noise(found)
    draw_reference(asked.benchmark)
    _items(name, found, asked.models)
    results_bar(
        kind=KIND,
        title=asked.title,
        tables=tables,
        options=options,
        models=[model for model in asked.models if model in found.results],
        python=as_python(asked),
        notes=[*asked.notes, *found.notes()],
    )


def run_options(asked: Asked) -> dict[str, object]:
    """What was chosen, as a run keeps it."""
    return {
        "benchmark": asked.benchmark,
        "data": asked.data,
        "models": list(asked.models),
        "seed": asked.options.seed,
        "confidence": asked.options.confidence,
        "slices": list(getattr(asked.options, "slices", ())),
    }


def as_python(asked: Asked) -> str:
    """The lines that give the scores again."""
    options = type(asked.options).__name__
    return "\n".join(
        [
            asked.python,
            "",
            "from core.engine.service import get_service",
            f"from core.labs.benchmarks import BENCHMARKS, {options}",
            "",
            f"benchmark = BENCHMARKS[{asked.benchmark!r}]",
            "plan = benchmark.plan(table)",
            f"for model in {list(asked.models)!r}:",
            "    rewards = get_service().score(model, plan.conversations())",
            '    scored = plan.scored(rewards["reward"], rewards["error"].tolist())',
            f"    result = benchmark.run(scored, {asked.options!r})",
            "    print(model, result.scores.to_string(index=False), sep='\\n')",
        ]
    )


def _missing(found: Evaluated) -> None:
    missing = next(iter(found.results.values())).missing
    if not missing:
        return
    title = next(iter(found.results.values())).benchmark
    st.warning(
        f"Parts of {title} are missing, so there is no overall score under its name: the average "
        "below is of what is there.",
        icon=":material/rule:",
    )
    with st.expander(f"What is missing · {len(missing)}"):
        for phrase in missing:
            st.text(phrase)


def _left_out(found: Evaluated) -> None:
    for model, result in found.results.items():
        for reason, count in result.left_out.items():
            st.caption(f":material/info: {plain(f'{model}: {count:,} items left out: {reason}')}")


def _noise(found: Evaluated) -> None:
    """How many items are decided by less than batching alone may move a reward."""
    for model, margins in found.margins.items():
        floor = noise_floor(model)
        if floor > 0 and len(margins):
            n_below = int((margins["margin"].abs() < floor).sum())
            st.caption(
                f":material/grain: {plain(model)}: {n_below:,} of {len(margins):,} items are "
                f"decided by less than the model's noise floor of {floor:.3f}, which batching "
                "alone may move a reward by."
            )


def _items(name: str, found: Evaluated, models: Sequence[str]) -> None:
    """Single items, the clearest mistakes first; one that is clicked shows its texts."""
    names = [model for model in found.results if len(found.margins[model])]
    if not names:
        return
    st.markdown("##### Look at single items")
    st.caption(
        "The margin is the lowest reward of a right response minus the highest of a wrong one: "
        "below 0 the item goes wrong. Click a row to read its texts."
    )
    titles = model_titles()
    model = st.selectbox(
        "By the margins of",
        names,
        format_func=lambda each: titles.get(each, each),
        key=f"{name}-items-model",
    )
    shown = found.margins[model].head(SHOWN_ITEMS)
    event = st.dataframe(
        readable(shown),
        hide_index=True,
        height=250,
        key=f"{name}-items-{model}",
        on_select="rerun",
        selection_mode="single-row",
    )
    if len(found.margins[model]) > SHOWN_ITEMS:
        st.caption(f"The first {SHOWN_ITEMS} of {len(found.margins[model]):,} items.")
    rows = event["selection"]["rows"]
    if rows and rows[0] < len(shown):
        _one_item(name, str(shown["item_id"].iloc[rows[0]]), found, model, models)


def _one_item(name: str, item_id: str, found: Evaluated, model: str, models: Sequence[str]) -> None:
    """One item: its prompt, its responses with every model's reward, the way to the playground."""
    table = found.scored[model]
    part = table[table["item_id"].astype(str) == item_id]
    conversations: list[list[Message]] = part[CONVERSATION].tolist()
    with st.container(border=True):
        for message in conversations[0][:-1]:
            st.caption(plain(message["role"]))
            st.text(message["content"])
        st.dataframe(readable(item_frame(part, found)), hide_index=True, key=f"{name}-item")
        right, wrong = clearest(part)
        if st.button(
            "Open in the playground",
            key=f"{name}-open",
            icon=":material/edit_note:",
            help="The right response with the lowest reward as the baseline, the wrong one with "
            "the highest on screen.",
        ):
            open_in_playground(
                conversations[wrong], conversations[right], models, labels=("right", "wrong")
            )


def item_frame(part: pd.DataFrame, found: Evaluated) -> pd.DataFrame:
    """One item's responses: which they are, their text, and every model's reward."""
    rewards = {
        model: table.loc[part.index, REWARD].tolist() for model, table in found.scored.items()
    }
    gold = {"gold": part["gold"].tolist()} if "gold" in part.columns else {}
    return pd.DataFrame(
        {
            "side": part["side"].tolist(),
            "place": part["place"].tolist(),
            **gold,
            "response": [conversation[-1]["content"] for conversation in part[CONVERSATION]],
            **{f"reward of {model}": values for model, values in rewards.items()},
        }
    )


def clearest(part: pd.DataFrame) -> tuple[int, int]:
    """Places of the right response with the lowest reward and the wrong one with the highest."""
    reward = part[REWARD].to_numpy(dtype=np.float64)
    right = (part["side"] == "chosen").to_numpy()
    wrong = (part["side"] == "rejected").to_numpy()
    if "gold" in part.columns:
        gold = pd.to_numeric(part["gold"], errors="coerce").to_numpy(dtype=np.float64)
        right, wrong = right | (gold >= 0.5), wrong | (gold < 0.5)
    lowest = np.where(right & np.isfinite(reward), reward, np.inf)
    highest = np.where(wrong & np.isfinite(reward), reward, -np.inf)
    return int(lowest.argmin()), int(highest.argmax())
