"""Several responses to each prompt out of a table of pairs, with what each is worth.

Best-of-n needs many responses to a prompt. Where no policy's samples are at hand, the responses of
the pairs and edits of them that change only the manner make a pool in which the gold reward is
known. It is no policy's distribution, so its curves show what a proxy falls for, not how soon a
policy would get there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from core.errors import PerturbationError
from core.labs.pairs import SIDES
from core.perturbations import Perturbation, get
from core.schema import Message, content_id, with_response

POOL_COLUMNS = ("prompt_id", "prompt", "response", "gold", "source", "edit")
"""`gold` is 1 for what was only chosen, 0 for what was only rejected, in between for what was both;
`source` is the id of the unedited response, `edit` "" or the edit's name and dose."""


@dataclass
class _Response:
    prompt_id: str
    prompt: list[Message]
    text: str
    won: list[float] = field(default_factory=list)


def pool_of_pairs(
    pairs: pd.DataFrame, *, edits: Sequence[str] = (), seed: int = 0
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Every distinct response of the pairs, and every edit of each.

    An edit changes only the manner, so its response is worth what the unedited one is.

    Args:
        pairs: a table with `core.labs.pairs.PAIR_TEXT_COLUMNS`.
        edits: names of perturbations of the group "shortcut" or "nothing" that edit the response;
            each in all its doses.
        seed: of the edits' choices.

    Returns:
        A table with `POOL_COLUMNS`, and the edits that did not apply, counted by reason.

    Raises:
        PerturbationError: when an edit does not exist, or would change what a response is worth.
    """
    chosen = [_manner_only(get(name)) for name in edits]
    rows: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for response in _responses(pairs):
        source = content_id([response.prompt_id, response.text])
        gold = sum(response.won) / len(response.won)
        texts = {response.text: ""}
        for edit in chosen:
            for dose in edit.doses or (1,):
                label = f"{edit.name} {dose}" if edit.doses else edit.name
                conversation = with_response(response.prompt, response.text)
                outcome = edit.apply(conversation, seed, dose)
                if not outcome.applied:
                    left_out[f"{edit.name}: {outcome.reason}"] += 1
                    continue
                texts.setdefault(outcome.conversation[-1]["content"], label)
        rows += [
            dict(
                zip(
                    POOL_COLUMNS,
                    (response.prompt_id, response.prompt, text, gold, source, label),
                    strict=True,
                )
            )
            for text, label in texts.items()
        ]
    return pd.DataFrame(rows, columns=list(POOL_COLUMNS)), dict(left_out)


def _responses(pairs: pd.DataFrame) -> list[_Response]:
    found: dict[str, _Response] = {}
    for record in pairs.to_dict(orient="records"):
        prompt_id, prompt = str(record["prompt_id"]), list(record["prompt"])
        for side in SIDES:
            key = content_id([prompt_id, prompt, record[side]])
            response = found.setdefault(key, _Response(prompt_id, prompt, str(record[side])))
            response.won.append(float(side == "chosen"))
    return list(found.values())


def _manner_only(edit: Perturbation) -> Perturbation:
    if edit.group not in ("shortcut", "nothing") or edit.target != "response":
        raise PerturbationError(
            f"{edit.name} may change what a response is worth.",
            fix="Take edits of the response from the groups shortcut and nothing.",
        )
    return edit
