"""text-embeddings-inference: /predict for classifiers, /rerank for rerankers.

It squashes unless `raw_scores` is true, sorts classes by score so that only their names tell them
apart, and takes `["a", "b"]` for one pair of texts: a batch is a list of lists. A text that is too
long is refused unless we know that it is and by how much (`truncate`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from core.models.card import RewardModelCard
from core.models.remote.http import Connection
from core.models.remote.protocol import (
    Answer,
    Client,
    Row,
    Sent,
    by_index,
    numbers,
)


class TeiPredict(Client):
    """`/predict`: every class with its value, for one text or a pair."""

    route: ClassVar[str] = "/predict"
    has_switch: ClassVar[bool] = True
    reads_pairs: ClassVar[bool] = True
    needs_text: ClassVar[str] = "text-embeddings-inference"

    def __init__(
        self,
        connection: Connection,
        model: str,
        card: RewardModelCard,
        *,
        max_rows: int | None = None,
        labels: Sequence[str] = (),
    ) -> None:
        """`labels`: the class names in the head's order, which /info tells."""
        super().__init__(connection, model, card)
        self.max_rows = max_rows
        self._labels = tuple(labels)

    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        body = {
            "inputs": [self._input(item) for item in batch],
            "raw_scores": not activated,
        } | _cutting(self.card, batch)
        reply = self.connection.post(self.route, body, should_stop=should_stop)
        if not isinstance(reply, list) or len(reply) != len(batch):
            raise self.wrong(f"a list of {len(batch)} lists", reply)
        if len(batch) == 1 and isinstance(reply[0], dict):
            reply = [reply]
        return Answer(tuple(self._row(classes) for classes in reply))

    def _input(self, item: Sent) -> list[str]:
        if self.card.input.form == "text-pair":
            return [item.prompt, item.response]
        return [item.text or ""]

    def _row(self, classes: object) -> Row | str:
        if not isinstance(classes, list) or not classes:
            raise self.wrong("a list of classes", classes)
        values: dict[str, float] = {}
        for entry in classes:
            if not isinstance(entry, dict) or not isinstance(entry.get("label"), str):
                raise self.wrong("'label' and 'score'", entry)
            found = numbers(entry.get("score"))
            if isinstance(found, str):
                return found
            values[entry["label"]] = found[0]
        known = self._labels if set(self._labels) == set(values) else tuple(sorted(values))
        return Row(tuple(values[label] for label in known), labels=known)


class TeiRerank(Client):
    """`/rerank`: responses to one prompt, which come back sorted by score."""

    route: ClassVar[str] = "/rerank"
    has_switch: ClassVar[bool] = True
    reads_pairs: ClassVar[bool] = True
    reads_chats: ClassVar[bool] = False

    def __init__(
        self,
        connection: Connection,
        model: str,
        card: RewardModelCard,
        *,
        max_rows: int | None = None,
    ) -> None:
        super().__init__(connection, model, card)
        self.max_rows = max_rows

    def goes_with(self, batch: Sequence[Sent], item: Sent) -> bool:
        same = not batch or batch[0].prompt == item.prompt
        return same and super().goes_with(batch, item)

    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        body = {
            "query": batch[0].prompt,
            "texts": [item.response for item in batch],
            "raw_scores": not activated,
            "return_text": False,
        } | _cutting(self.card, batch)
        reply = self.connection.post(self.route, body, should_stop=should_stop)
        if not isinstance(reply, list):
            raise self.wrong("a list of ranks", reply)
        return Answer(by_index(reply, len(batch), self._row))

    def _row(self, item: Mapping[str, Any]) -> Row | str:
        if "index" not in item:
            return "The server sorted the results and did not say which text each belongs to."
        found = numbers(item.get("score"))
        return found if isinstance(found, str) else Row(found)


def _cutting(card: RewardModelCard, batch: Sequence[Sent]) -> dict[str, Any]:
    if not any(item.n_cut for item in batch):
        return {"truncate": False}
    side = "Right" if card.truncation_side == "right" else "Left"
    return {"truncate": True, "truncation_direction": side}
