"""Where tables of preference pairs come from: files, the authored prompts, two typed responses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from core.errors import TableError
from core.labs.pairs import PAIR_TEXT_COLUMNS
from core.schema import Conversation, content_id, split_conversation
from core.tables import ConversationTable
from core.tables.files import RowProblem
from core.training.preferences import read_preferences, split_prompts


@dataclass(frozen=True)
class PairSource:
    """A table of pairs and what of its source could not be used.

    Attributes:
        name: what a person calls it.
        pairs: columns `PAIR_TEXT_COLUMNS` and the source's own.
        problems: what could not be read, each with its place and reason.
        left_out: pairs that were read and cannot be used, by reason.
    """

    name: str
    pairs: pd.DataFrame
    problems: tuple[RowProblem, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def pairs_of_table(table: ConversationTable) -> PairSource:
    """The pairs of a table that was read from a file.

    Raises:
        TableError: when the table's shape has no pairs, or none is usable.
    """
    if not table.shape.is_paired:
        raise TableError(
            f"{table.source.name} was read as {table.shape}: it holds no pairs.",
            fix="Give columns prompt, chosen and rejected.",
        )
    rows: list[dict[str, object]] = []
    sources: list[int] = []
    left_out: Counter[str] = Counter()
    for pair in table.pairs:
        chosen = table.entries[pair.chosen].conversation
        rejected = table.entries[pair.rejected].conversation
        if chosen is None or rejected is None:
            left_out["a side could not be read"] += 1
            continue
        prompt, better = split_conversation(chosen)
        other_prompt, worse = split_conversation(rejected)
        if other_prompt != prompt:
            left_out["the two sides differ before the last turn"] += 1
            continue
        rows.append(_row(pair.pair_id, pair.prompt_id, prompt, better, worse))
        sources.append(pair.row)
    if not rows:
        raise TableError(
            f"{table.source.name}: no pair has one prompt and two readable responses.",
            fix="Each row needs one prompt and two responses to it.",
        )
    frame = pd.DataFrame(rows, columns=list(PAIR_TEXT_COLUMNS))
    for name in table.source.columns:
        if name not in PAIR_TEXT_COLUMNS and name not in ("messages", "responses"):
            frame[name] = [table.source.rows[source].cells.get(name) for source in sources]
    return PairSource(table.source.name, frame, table.problems, left_out)


def authored_pairs(*, held_out: bool = True) -> PairSource:
    """The authored prompts: each good response against each flawed one.

    Args:
        held_out: only the prompts no embedded model was trained on.

    Returns:
        Pairs with the columns `category` and `flaw`.
    """
    prompts = read_preferences()
    chosen = split_prompts(prompts).held_out if held_out else prompts
    rows = [
        _row(f"{prompt.id}-{flawed.flaw}", prompt.id, prompt.messages, prompt.good, flawed.response)
        | {"category": prompt.category, "flaw": flawed.flaw}
        for prompt in chosen
        for flawed in prompt.flawed
    ]
    name = "authored pairs, held out" if held_out else "authored pairs, all"
    return PairSource(name, pd.DataFrame(rows))


def first_prompts(pairs: pd.DataFrame, n_pairs: int) -> pd.DataFrame:
    """At most `n_pairs` pairs: prompts in an order drawn once, so that more pairs add to fewer.

    A prompt's pairs stay together, though the last prompt may keep only some of its.
    """
    if n_pairs >= len(pairs):
        return pairs
    prompts = pairs["prompt_id"].drop_duplicates().sample(frac=1, random_state=0)
    order = pairs["prompt_id"].map({prompt: place for place, prompt in enumerate(prompts)})
    return pairs.iloc[order.argsort(kind="stable")[:n_pairs]].sort_index().reset_index(drop=True)


def typed_pair(chosen: Conversation, rejected: Conversation) -> PairSource:
    """One pair from two conversations that end in different responses to one prompt.

    Raises:
        TableError: when the prompts differ or the responses do not.
    """
    prompt, better = split_conversation(chosen)
    other, worse = split_conversation(rejected)
    if prompt != other:
        raise TableError(
            "The two conversations have different prompts.",
            fix="Keep the prompt and edit only the response.",
        )
    if better == worse:
        raise TableError("The two responses are the same.", fix="Edit one of them.")
    identity = content_id([prompt, better, worse])
    return PairSource(
        "the pair in the playground",
        pd.DataFrame([_row(identity, content_id(prompt), prompt, better, worse)]),
    )


def _row(
    pair_id: str, prompt_id: str, prompt: Sequence[object], chosen: str, rejected: str
) -> dict[str, object]:
    return {
        "pair_id": pair_id,
        "prompt_id": prompt_id,
        "prompt": list(prompt),
        "chosen": chosen,
        "rejected": rejected,
    }
