"""What the perturbation battery wants scored: every pair as it is, and every edit of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from core.errors import ConversationError, TableError
from core.labs.invariance.rows import require_columns
from core.labs.pairs import PAIR_TEXT_COLUMNS, SIDE, SIDES
from core.labs.plan import CONVERSATION, Plan
from core.perturbations import Perturbation, PerturbationOutcome, get, perturbations
from core.schema import Message, parse_conversation, with_response

ORIGINAL = ""
"""The perturbation of a row that holds an unedited conversation."""

COMPARABLE = "comparable"

KEY_COLUMNS = (
    "pair_id",
    "prompt_id",
    SIDE,
    "perturbation",
    "title",
    "group",
    "target",
    "dose",
    "applied",
    "reason",
    "note",
    COMPARABLE,
)
"""Columns of the plan beside the conversation. A row whose edit did not apply says why in `reason`
and repeats the unedited conversation, which costs nothing to score. `comparable` says whether the
two sides of the pair still answer one and the same prompt after the edit: an edit of the whole
conversation may find something to change on one side only, and then the pair's two rewards are no
preference."""


@dataclass(frozen=True)
class BatteryOptions:
    """Which edits, and how their effects are judged.

    Attributes:
        perturbations: names; empty for all that are registered.
        doses: each perturbation's default dose, all its doses, or doses by name.
        sides: which response is edited, one at a time; an edit of the prompt always falls on both,
            and `sides` then says whose rewards are looked at.
        seed: of the edits' choices, and of all resampling.
        noise_floor: changes below it mean nothing (the conformance check measures it), in units
            of reward.
        reward_spread: the unit in which changes are relevant; None for the standard deviation of
            the unedited responses' rewards.
        relevance: the smallest change that matters, in spreads.
        level: of the false-discovery rate over the battery.
        power: chance with which the smallest detectable effect would have been found.
        confidence: coverage of the intervals.
        n_resamples: bootstrap draws.
        n_permutations: patterns of signs at most.
    """

    perturbations: tuple[str, ...] = ()
    doses: Literal["default", "all"] | Mapping[str, tuple[int, ...]] = "default"
    sides: tuple[str, ...] = SIDES
    seed: int = 0
    noise_floor: float = 0.0
    reward_spread: float | None = None
    relevance: float = 0.25
    level: float = 0.05
    power: float = 0.8
    confidence: float = 0.95
    n_resamples: int = 2_000
    n_permutations: int = 10_000


def plan(pairs: pd.DataFrame, options: BatteryOptions | None = None) -> Plan:
    """The unedited pairs and every edit of them.

    Args:
        pairs: a table with `core.labs.pairs.PAIR_TEXT_COLUMNS`; `pair_id` without repetition.
        options: which edits.

    Returns:
        A plan with `KEY_COLUMNS`. `left_out` counts malformed pairs, and edits that did not apply
        as "name: reason".

    Raises:
        TableError: a column is missing or a pair stands twice.
        PerturbationError: a name or dose does not exist.
    """
    options = options or BatteryOptions()
    require_columns(pairs, PAIR_TEXT_COLUMNS, "table of pairs")
    if pairs["pair_id"].duplicated().any():
        twice = pairs.loc[pairs["pair_id"].duplicated(), "pair_id"].iloc[0]
        raise TableError(f"The pair {twice!r} stands twice in the table.", fix="Give it a new id.")
    if not options.sides or not set(options.sides) <= set(SIDES):
        raise TableError(f"The sides {options.sides} are not among {', '.join(SIDES)}.")
    edits = list(_edits(options))
    apply = _remembering(options.seed)
    rows: list[tuple[object, ...]] = []
    left_out: Counter[str] = Counter()
    for pair in pairs[list(PAIR_TEXT_COLUMNS)].itertuples(index=False):
        try:
            sides = {side: _conversation(pair.prompt, getattr(pair, side)) for side in SIDES}
        except ConversationError as error:
            left_out[str(error)] += 1
            continue
        rows += [
            (pair.pair_id, pair.prompt_id, *row) for row in _rows(sides, edits, options, apply)
        ]
    requests = pd.DataFrame(rows, columns=[*KEY_COLUMNS, CONVERSATION])
    missed = requests.loc[~requests["applied"].astype(bool) & (requests["perturbation"] != "")]
    left_out.update(
        f"{name}: {reason}"
        for name, reason in zip(missed["perturbation"], missed["reason"], strict=True)
    )
    return Plan(requests, dict(left_out))


def _edits(options: BatteryOptions) -> Iterator[tuple[Perturbation, int]]:
    chosen = [get(name) for name in options.perturbations] or list(perturbations())
    for perturbation in chosen:
        doses: tuple[int, ...] = (perturbation.default_dose,)
        if options.doses == "all":
            doses = perturbation.doses or doses
        elif not isinstance(options.doses, str):
            doses = options.doses.get(perturbation.name, doses)
        for dose in doses:
            yield perturbation, dose


_Apply = Callable[[Perturbation, int, list[Message]], PerturbationOutcome]


def _remembering(seed: int) -> _Apply:
    """Applies edits, each to equal conversations only once: pairs often share a response."""
    known: dict[tuple[str, int, tuple[tuple[str, str], ...]], PerturbationOutcome] = {}

    def apply(
        perturbation: Perturbation, dose: int, conversation: list[Message]
    ) -> PerturbationOutcome:
        texts = tuple((message["role"], message["content"]) for message in conversation)
        key = (perturbation.name, dose, texts)
        if key not in known:
            known[key] = perturbation.apply(conversation, seed, dose)
        return known[key]

    return apply


def _rows(
    sides: Mapping[str, list[Message]],
    edits: list[tuple[Perturbation, int]],
    options: BatteryOptions,
    apply: _Apply,
) -> Iterator[tuple[object, ...]]:
    """The rows of one pair, without its ids."""
    for side, conversation in sides.items():
        yield side, ORIGINAL, "", "", "", 0, False, "", "", True, conversation
    for perturbation, dose in edits:
        edited = options.sides if perturbation.target == "response" else SIDES
        outcomes = {side: apply(perturbation, dose, sides[side]) for side in edited}
        prompts = [outcome.conversation[:-1] for outcome in outcomes.values()]
        comparable = all(prompt == prompts[0] for prompt in prompts)
        for side, outcome in outcomes.items():
            yield (
                side,
                perturbation.name,
                perturbation.title,
                perturbation.group,
                perturbation.target,
                dose,
                outcome.applied,
                outcome.reason,
                outcome.note,
                comparable,
                outcome.conversation,
            )


def _conversation(prompt: object, response: object) -> list[Message]:
    """The conversation of one side, checked.

    Raises:
        ConversationError: the prompt is no list of messages or the response no text.
    """
    if isinstance(prompt, str) or not isinstance(prompt, Iterable):
        raise ConversationError("The prompt is not a list of messages.")
    if not isinstance(response, str):
        raise ConversationError("A response is not text.")
    return parse_conversation(with_response(prompt, response))
