"""Training run: the checkpoints of one run in order, and what training changed."""

import numpy as np
import streamlit as st

from app_pages.common.markup import plain
from app_pages.common.model_choice import lab_models_key
from app_pages.common.service import model_titles
from app_pages.compare.choice import choose_one
from app_pages.compare.columns import show_table
from app_pages.compare.results import Compared, Tables, noise_key, with_noise
from core.exports.figures import figure_config
from core.figures.compare import run_line
from core.labs.attributes import attribute, attributes
from core.labs.compare import RunView, read_scores, run_view
from core.labs.compare.bias_indices import attribute_indices
from core.labs.compare.checkpoints import ACCURACY, CHANGE, DRIFT, FLIPPED, MARGIN, NOISE
from core.labs.compare.in_words import run_words
from core.labs.compare.pair_table import attribute_gaps
from core.labs.compare.scores import MAX_MODELS
from core.models.catalogue import list_cards
from core.models.checkpoints import Checkpoint, checkpoint_of, training_runs

DEFAULT_INDICES = ("words", "agreement_opener")
MEANING = {
    ACCURACY: "Share of pairs won, a tie is half.",
    MARGIN: "Reward(chosen) − reward(rejected): grows with training even where accuracy does not.",
    DRIFT: "Mean change of a response's reward since the first checkpoint. The grey band is the "
    "noise floor.",
    CHANGE: "Mean size of that change, whichever its direction.",
    FLIPPED: "Share of pairs whose winner is another than one checkpoint before.",
    NOISE: "Largest change of a reward from batching alone.",
}
INDEX_MEANING = (
    "How much more often than the labels the checkpoint prefers the response with more of it: 0 "
    "means as often, +0.1 ten points more often. Our reading; pairs with as much on both sides "
    "are left out."
)


@st.cache_data(ttl=10, show_spinner=False)
def _known_checkpoints(models: tuple[str, ...]) -> list[Checkpoint]:
    cards = {card.id: card for card in list_cards()}
    found = [checkpoint_of(model, cards.get(model)) for model in models]
    return [checkpoint for checkpoint in found if checkpoint is not None]


def known_runs(models: "tuple[str, ...] | None" = None) -> dict[str, tuple[Checkpoint, ...]]:
    """Runs with two checkpoints or more among some models, by default among all of them."""
    names = tuple(model_titles()) if models is None else models
    return training_runs(_known_checkpoints(names))


def spread_over(checkpoints: tuple[Checkpoint, ...], most: int) -> list[str]:
    """At most so many of a run's checkpoints, first and last among them, spread evenly."""
    if len(checkpoints) <= most:
        return [checkpoint.model for checkpoint in checkpoints]
    places = np.linspace(0, len(checkpoints) - 1, most).round().astype(int)
    return [checkpoints[place].model for place in places]


def take_run(run: str, most: int) -> None:
    """Chooses the checkpoints of a run, from a widget's callback."""
    st.session_state[lab_models_key("compare")] = spread_over(known_runs()[run], most)


def draw(ground: Compared) -> Tables:
    """Draws the run's measures over its steps; returns their table."""
    runs = known_runs(ground.models)
    if not runs:
        _offer()
        return {}
    name = next(iter(runs))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if len(runs) > 1:
            name = choose_one("Run", list(runs), key="compare-run-name", width=300)
        indices = st.multiselect(
            "Bias indices",
            [each.name for each in attributes()],
            default=list(DEFAULT_INDICES),
            format_func=lambda each: attribute(each).title,
            key="compare-indices",
            help=INDEX_MEANING,
            persist_state="session",
        )
    view = _view(ground, runs[name], list(indices))
    if view is None:
        return {}
    st.markdown(plain(run_words(view)))
    _lines(view)
    with st.expander("Table"):
        show_table(view.table, key="compare-run-table")
    return {"training_run": view.table}


def _offer() -> None:
    st.info(
        "Choose two or more checkpoints of one training run, then run again. A checkpoint is known "
        "by its name, such as NAME-step-30.",
        icon=":material/timeline:",
    )
    for run, checkpoints in known_runs().items():
        st.button(
            f"Take the {min(MAX_MODELS, len(checkpoints))} checkpoints of {plain(run)}",
            key=f"compare-take-{run}",
            icon=":material/timeline:",
            on_click=take_run,
            args=(run, MAX_MODELS),
        )


def _view(
    ground: Compared, checkpoints: tuple[Checkpoint, ...], names: list[str]
) -> RunView | None:
    options = with_noise(ground)
    models = [checkpoint.model for checkpoint in checkpoints]
    steps = {checkpoint.model: float(checkpoint.step) for checkpoint in checkpoints}

    def compute() -> RunView:
        scores = read_scores(ground.table, models)
        gaps = attribute_gaps(ground.pairs, names)
        titled = {index_title(each): gaps[each].to_numpy() for each in names}
        return run_view(scores, steps, options, indices=attribute_indices(scores, titled, options))

    return ground.part("run", compute, tuple(models), tuple(names), noise_key(options))


def _index_caption(view: RunView, name: str) -> str:
    numbers = [int(n) for n in view.line(name)["n"]]
    return f"On {min(numbers):,} to {max(numbers):,} pairs that differ in it. {INDEX_MEANING}"


def index_title(name: str) -> str:
    """What a bias index is called."""
    return f"beyond the labels: {attribute(name).title.lower()}"


def _lines(view: RunView) -> None:
    measures = [ACCURACY, MARGIN, DRIFT, CHANGE, FLIPPED, NOISE, *view.indices]
    shown = [name for name in measures if view.line(name)["value"].notna().any()]
    with st.grid(3, min_column_width=340, gap="medium"):
        for name in shown:
            with st.container():
                st.plotly_chart(
                    run_line(view, name),
                    key=f"compare-run-{name}",
                    config=figure_config(name) | {"displayModeBar": False},
                )
                st.caption(MEANING.get(name) or _index_caption(view, name))
    missing = [name for name in measures if name not in shown]
    if missing:
        st.caption(f"Without a value on these pairs: {plain(', '.join(missing))}.")
    st.caption("Bands and points carry 95 % intervals over prompts; hover for n.")
