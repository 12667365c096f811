"""vLLM's pooling routes: /classify, /pooling, /score and /rerank.

Its classifiers with one label apply a sigmoid unless told otherwise, so every request says
`use_activation`. In the form with messages a request holds one conversation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from core.models.remote.protocol import (
    Answer,
    Client,
    Row,
    Sent,
    by_index,
    numbers,
    prompt_tokens,
)


class VllmClassify(Client):
    """`/classify`: one or more class values for each text."""

    route: ClassVar[str] = "/classify"
    has_switch: ClassVar[bool] = True

    def goes_with(self, batch: Sequence[Sent], item: Sent) -> bool:
        return item.text is not None and super().goes_with(batch, item)

    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        body = self._body(batch, activated)
        reply = self.connection.post(self.route, body, should_stop=should_stop)
        data = reply.get("data") if isinstance(reply, dict) else None
        if not isinstance(data, list):
            raise self.wrong("the list 'data'", reply)
        return Answer(by_index(data, len(batch), self._row), prompt_tokens(reply))

    def _body(self, batch: Sequence[Sent], activated: bool) -> dict[str, Any]:
        first = batch[0]
        body: dict[str, Any] = {"model": self.model, "use_activation": activated}
        if first.text is None:
            body |= {
                "messages": [dict(message) for message in first.messages],
                "add_generation_prompt": False,
                "continue_final_message": False,
                "add_special_tokens": False,
            }
        else:
            body |= {
                "input": [item.text for item in batch],
                # The rendered text brings its own beginning-of-text token.
                "add_special_tokens": first.add_special_tokens,
            }
        return body | cutting(self, batch)

    def _row(self, item: Mapping[str, Any]) -> Row | str:
        found = numbers(item.get("probs"), columns=len(self.card.reward.objectives))
        return found if isinstance(found, str) else Row(found)


class VllmPooling(VllmClassify):
    """`/pooling` with the classify task: the head's output under another name."""

    route: ClassVar[str] = "/pooling"

    def _body(self, batch: Sequence[Sent], activated: bool) -> dict[str, Any]:
        return super()._body(batch, activated) | {"task": "classify", "encoding_format": "float"}

    def _row(self, item: Mapping[str, Any]) -> Row | str:
        found = numbers(item.get("data"), columns=len(self.card.reward.objectives))
        return found if isinstance(found, str) else Row(found)


class VllmScore(Client):
    """`/score`: prompt and response as two texts, for cross-encoders with one label."""

    route: ClassVar[str] = "/score"
    has_switch: ClassVar[bool] = True
    reads_pairs: ClassVar[bool] = True
    reads_chats: ClassVar[bool] = False

    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        body = {
            "model": self.model,
            "text_1": [item.prompt for item in batch],
            "text_2": [item.response for item in batch],
            "use_activation": activated,
        } | cutting(self, batch)
        reply = self.connection.post(self.route, body, should_stop=should_stop)
        data = reply.get("data") if isinstance(reply, dict) else None
        if not isinstance(data, list):
            raise self.wrong("the list 'data'", reply)
        return Answer(by_index(data, len(batch), self._row), prompt_tokens(reply))

    def _row(self, item: Mapping[str, Any]) -> Row | str:
        found = numbers(item.get("score"))
        return found if isinstance(found, str) else Row(found)


class VllmRerank(Client):
    """`/rerank`: responses to one prompt, which come back sorted by score."""

    route: ClassVar[str] = "/rerank"
    has_switch: ClassVar[bool] = True
    reads_pairs: ClassVar[bool] = True
    reads_chats: ClassVar[bool] = False

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
            "model": self.model,
            "query": batch[0].prompt,
            "documents": [item.response for item in batch],
            "top_n": len(batch),
            "use_activation": activated,
        } | cutting(self, batch)
        reply = self.connection.post(self.route, body, should_stop=should_stop)
        results = reply.get("results") if isinstance(reply, dict) else None
        if not isinstance(results, list):
            raise self.wrong("the list 'results'", reply)
        return Answer(by_index(results, len(batch), self._row), prompt_tokens(reply))

    def _row(self, item: Mapping[str, Any]) -> Row | str:
        if "index" not in item:
            return "The server sorted the results and did not say which text each belongs to."
        found = numbers(item.get("relevance_score"))
        return found if isinstance(found, str) else Row(found)


def cutting(client: Client, batch: Sequence[Sent]) -> dict[str, Any]:
    """What tells vLLM to cut texts that are known to be too long; else it refuses them aloud."""
    if not any(item.n_cut for item in batch):
        return {}
    card = client.card
    return {
        "truncate_prompt_tokens": card.max_length,
        "truncation_side": card.truncation_side,
    }
