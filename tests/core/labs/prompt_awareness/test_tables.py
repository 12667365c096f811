"""Results as long tables: nothing is lost, each model keeps its rows."""

import numpy as np
import pytest

from core.labs.prompt_awareness import (
    ablations,
    decomposition,
    leaderboard,
    matrix,
    swaps,
    training_weights,
)
from core.labs.prompt_awareness.leaderboard import Evidence
from core.labs.prompt_awareness.matrix import MatrixOptions
from core.labs.prompt_awareness.swaps import SwapOptions
from core.labs.prompt_awareness.tables import Findings, to_tables
from core.schema import Message
from tests.core.labs.prompt_awareness.analytic import (
    is_on_topic,
    make_pairs,
    noise,
    prompt_text_of,
    quality,
    scored,
)

PAIRS = make_pairs(8, pairs_a_prompt=2)
OPTIONS = SwapOptions(kinds=("random", "empty"), n_prompts=2)


def reads(prompt: list[Message], response: str) -> float:
    good = response.startswith("good") and is_on_topic(prompt, response)
    return quality(prompt, response) + 4 * good + 0.1 * noise(prompt_text_of(prompt), response)


def all_findings() -> Findings:
    """Two models through every part."""
    models = {"quality": quality, "reads": reads}
    swap_plan, cell_plan = swaps.plan(PAIRS, OPTIONS), matrix.plan(PAIRS, MatrixOptions())
    edit_plan = ablations.plan(PAIRS)
    found = {name: swaps.run(scored(swap_plan, model), OPTIONS) for name, model in models.items()}
    cells = {name: matrix.run(scored(cell_plan, model)) for name, model in models.items()}
    parts = {name: decomposition.run(result) for name, result in found.items()}
    evidence = {name: Evidence(found[name], cells[name]) for name in models}
    return Findings(
        found,
        parts,
        cells,
        {name: ablations.run(scored(edit_plan, model)) for name, model in models.items()},
        leaderboard.run(evidence),
        {name: training_weights.run(each) for name, each in parts.items()},
    )


@pytest.fixture(scope="module")
def found() -> Findings:
    return all_findings()


def test_every_table_tells_the_models_apart_and_has_all_their_rows(found: Findings) -> None:
    tables = to_tables(found)
    for name in ("measures", "pairs", "gaps", "parts", "matrix_cells", "ablation_changes"):
        assert list(tables[name]["model"].unique()) == ["quality", "reads"], name
    assert len(tables["gaps"]) == sum(len(result.gaps) for result in found.swaps.values())
    assert len(tables["matrix_cells"]) == 2 * 8 * 8
    assert len(tables["verdicts"]) == 2
    assert len(tables["training_weights"]) == 2 * len(PAIRS)


def test_aggregates_keep_value_interval_and_n(found: Findings) -> None:
    tables = to_tables(found)
    rows = tables["matrix_measures"].set_index(["model", "measure"])
    share = found.matrices["reads"].shares.interaction
    row = rows.loc[("reads", "interaction_share")]
    assert (row["value"], row["low"], row["high"]) == (
        share.estimate.value,
        share.estimate.low,
        share.estimate.high,
    )
    assert row["n_prompts"] == 8
    chance = rows.loc[("reads", "own_response_rank"), "chance"]
    assert chance == found.matrices["reads"].prompt_ranks.chance_rank
    edits = tables["ablation_measures"].set_index(["model", "ablation", "side", "measure"])
    effect = found.ablations["reads"].effects["remove-question", "chosen"]
    row = edits.loc[("reads", "remove-question", "chosen", "in_spreads")]
    assert row["value"] == effect.in_spreads.estimate.value
    assert row["adjusted_p"] == effect.adjusted_p


def test_what_was_left_out_is_counted_by_part_model_and_reason() -> None:
    plan = swaps.plan(PAIRS, OPTIONS)
    rewards = np.array([0.0] * (len(plan) - 1) + [np.nan])
    broken = swaps.run(plan.scored(rewards, [""] * (len(plan) - 1) + ["too long"]), OPTIONS)
    table = to_tables(Findings(swaps={"m": broken}))["left_out"]
    found = dict(zip(table["reason"], table["count"], strict=True))
    assert found == dict(broken.left_out)
    assert found["empty: other prompts without a gap"] == 1
    assert set(table["part"]) == {"swaps"}


def test_nothing_found_has_no_tables() -> None:
    assert to_tables(Findings()) == {}
