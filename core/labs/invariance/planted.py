"""Attributes put into responses by an edit, for texts that hardly vary in them by themselves.

Natural responses may all be about as long, and none may open by agreeing; then nothing can be seen
in their rewards. Here every response is read as it is and with an edit that puts one attribute in,
in several doses, and each attribute is tested among the versions of one response: what else differs
between responses cannot be taken for it.
"""

from collections.abc import Mapping

import pandas as pd

from core.labs.attributes import attribute
from core.labs.invariance.attribute_scan import (
    KINDS,
    ScanOptions,
    ScanResult,
    attribute_row,
    corrected,
    response_values,
)
from core.labs.invariance.battery_plan import ORIGINAL, BatteryOptions
from core.labs.invariance.battery_plan import plan as battery_plan
from core.labs.invariance.rows import require_columns
from core.labs.pairs import SIDE
from core.labs.plan import CONVERSATION, Plan
from core.schema import content_id

PLANTED_BY: Mapping[str, str] = {
    "words": "padding",
    "characters": "padding",
    "markdown_density": "markdown",
    "list_items": "markdown",
    "agreement_opener": "agreement",
    "exclamations": "exclamation",
    "flattery": "flattery",
}
"""The perturbation that puts each attribute in. Attributes that no edit puts in are not here."""


def plan(pairs: pd.DataFrame, seed: int = 0) -> Plan:
    """Every response as it is, and with each attribute put in, in all doses.

    Args:
        pairs: a table with `core.labs.pairs.PAIR_TEXT_COLUMNS`.
        seed: of the edits.

    Raises:
        TableError: a column is missing or a pair stands twice.
    """
    names = tuple(dict.fromkeys(PLANTED_BY.values()))
    whole = battery_plan(pairs, BatteryOptions(perturbations=names, doses="all", seed=seed))
    requests = whole.requests
    made = requests["applied"].astype(bool) | (requests["perturbation"] == ORIGINAL)
    return Plan(requests[made].reset_index(drop=True), whole.left_out)


def scan(scored: pd.DataFrame, options: ScanOptions | None = None) -> ScanResult:
    """Tests for every attribute in `PLANTED_BY` whether putting it in changes the reward.

    Labels change places among the versions of one response, so `n_prompts` of the result counts
    responses. The squared MMD is large in either direction: a model that takes reward off for
    padding depends on length too.

    Args:
        scored: the plan with one model's rewards; a battery that made the same edits will do.
        options: how they are tested.

    Raises:
        TableError: a column is missing.
    """
    options = options or ScanOptions()
    needed = ("pair_id", "prompt_id", SIDE, "perturbation", CONVERSATION)
    require_columns(scored, needed, "scored table")
    versions = scored.assign(prompt_id=_responses(scored))
    every = [attribute(name) for name in PLANTED_BY]
    values = response_values(versions, every)
    rows = []
    for kind in KINDS:
        for each in every:
            edits = (ORIGINAL, PLANTED_BY[each.name])
            own = versions["perturbation"].isin(edits).to_numpy()
            table = versions[own].reset_index(drop=True)
            rows.append(
                attribute_row(table, each, values[each.name].to_numpy()[own], kind, options)
            )
    return corrected(rows, values, options)


def _responses(scored: pd.DataFrame) -> list[str]:
    """(n,) names the unedited response that each row is a version of."""
    unedited = scored[scored["perturbation"] == ORIGINAL]
    names = {
        (pair, side): content_id([prompt, conversation[-1]["content"]])
        for pair, prompt, side, conversation in unedited[
            ["pair_id", "prompt_id", SIDE, CONVERSATION]
        ].itertuples(index=False, name=None)
    }
    return [names.get(place, "") for place in zip(scored["pair_id"], scored[SIDE], strict=True)]
