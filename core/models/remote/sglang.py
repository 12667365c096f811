"""SGLang's native /classify, which returns the head's raw output as `embedding`.

Its OpenAI-like /v1/classify takes a softmax over the classes, which is always 1 for one class, and
is not used. With a tokenizer token ids are sent: of a text, SGLang would add a second
beginning-of-text token to the one the template wrote.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from core.models.remote.protocol import Answer, Client, Row, Sent, numbers


class SglangClassify(Client):
    """`/classify`: a vector for each text; the reward is its only value."""

    route: ClassVar[str] = "/classify"
    needs_text: ClassVar[str] = "SGLang"

    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,  # noqa: ARG002 - it has no activation to switch off
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        body: dict[str, Any] = {"model": self.model}
        if all(item.ids is not None for item in batch):
            body["input_ids"] = [list(item.ids or ()) for item in batch]
        else:
            body["text"] = [item.text for item in batch]
        reply = self.connection.post(self.route, body, should_stop=should_stop)
        # A server of some versions answers one text with one object.
        items = [reply] if isinstance(reply, dict) and len(batch) == 1 else reply
        if not isinstance(items, list) or len(items) != len(batch):
            raise self.wrong(f"a list of {len(batch)}", reply)
        rows = tuple(self._row(item) for item in items)
        counts = [row.n_tokens if isinstance(row, Row) else None for row in rows]
        known = [count for count in counts if count is not None]
        return Answer(rows, sum(known) if len(known) == len(rows) else None)

    def _row(self, item: object) -> Row | str:
        if not isinstance(item, dict) or "embedding" not in item:
            raise self.wrong("'embedding'", item)
        found = numbers(item["embedding"], columns=len(self.card.reward.objectives))
        if isinstance(found, str):
            return found
        meta = item.get("meta_info")
        count = meta.get("prompt_tokens") if isinstance(meta, dict) else None
        return Row(found, n_tokens=count if isinstance(count, int) else None)
