"""Any OpenAI-compatible chat server as a judge by one word: log P(yes) − log P(no).

The model is asked for one token with the 20 likeliest and their log-probabilities. The reward is
only as good as the share of probability that the two words have, which is kept beside it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from core.models.remote.http import Connection, RemoteShapeError
from core.models.remote.protocol import Answer, Client, Row, Sent, outline, prompt_tokens
from core.schema import Message

TOP = 20
LEAST_MASS = 0.5
"""Below this share of the probability, the words asked for are not what the model would say."""

QUESTION = (
    "Below is a conversation that ends with an assistant's response. Is that last response good: "
    "correct, helpful and to the point? Answer with one word, Yes or No.\n\n"
    "{conversation}\n\nIs the last response good? Answer Yes or No."
)


class OpenAiYesNo(Client):
    """`/v1/chat/completions` with `logprobs`: one conversation a request."""

    route: ClassVar[str] = "/v1/chat/completions"

    def goes_with(self, batch: Sequence[Sent], item: Sent) -> bool:  # noqa: ARG002
        return not batch

    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,  # noqa: ARG002 - log-probabilities have no activation
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        body = {
            "messages": [{"role": "user", "content": self._question(batch[0])}],
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": TOP,
        }
        reply = chat(self.connection, self.model, body, should_stop=should_stop)
        return Answer((self._row(reply),), None)

    def _question(self, item: Sent) -> str:
        own = self.card.input.form == "raw-template" and item.text is not None
        return str(item.text) if own else question(item.messages)

    def _row(self, reply: dict[str, Any]) -> Row | str:
        try:
            entry = reply["choices"][0]["logprobs"]["content"][0]
            top = [(str(item["token"]), float(item["logprob"])) for item in entry["top_logprobs"]]
        except (KeyError, IndexError, TypeError, ValueError):
            raise self.wrong("choices[0].logprobs.content[0].top_logprobs", reply) from None
        return verdict(top, n_tokens=prompt_tokens(reply))


def question(messages: Sequence[Message]) -> str:
    """What the judge is asked about a conversation where the card has no template of its own."""
    turns = [f"[{message['role']}]\n{message['content']}" for message in messages]
    # Not `format`: what is in the conversation may have braces.
    return QUESTION.replace("{conversation}", "\n\n".join(turns))


def verdict(top: Sequence[tuple[str, float]], *, n_tokens: int | None = None) -> Row | str:
    """log P(yes) − log P(no) from the likeliest tokens; spellings of one word are added up.

    A word that is not among them has a probability of which only a bound is known: then there is
    no reward, and the text says which bound.
    """
    sums = {"yes": 0.0, "no": 0.0}
    for token, log_probability in top:
        word = token.strip().strip("\"'.*▁Ġ").strip().lower()
        if word in sums and math.isfinite(log_probability):
            sums[word] += math.exp(log_probability)
    yes, no = sums["yes"], sums["no"]
    if yes and no:
        difference = math.log(yes) - math.log(no)
        return Row((difference,), n_tokens=n_tokens, mass=min(1.0, yes + no))
    if not yes and not no:
        return "Neither Yes nor No is among the 20 likeliest tokens: this model does not answer so."
    lowest = min(log_probability for _, log_probability in top)
    bound = abs(math.log(yes or no) - lowest)
    found, missing = ("Yes", "No") if yes else ("No", "Yes")
    return (
        f"{missing} is not among the {len(top)} likeliest tokens: all that is known is that "
        f"{found} leads by more than {bound:.2f} nats."
    )


def chat(
    connection: Connection,
    model: str,
    body: dict[str, Any],
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """The reply of `/v1/chat/completions` to a request for this model, a JSON object.

    Raises:
        RemoteError: what went wrong, with the address.
    """
    reply = connection.post(OpenAiYesNo.route, {"model": model, **body}, should_stop=should_stop)
    return checked_reply(connection, reply)


def checked_reply(connection: Connection, reply: Any) -> dict[str, Any]:
    """A reply that holds a list of choices.

    Raises:
        RemoteShapeError: it does not.
    """
    if not isinstance(reply, dict) or not isinstance(reply.get("choices"), list):
        raise RemoteShapeError(
            f"{connection.place} answered {OpenAiYesNo.route} in another form than expected: the "
            f"list 'choices' is missing in {outline(reply)}.",
            fix="Check that this is an OpenAI-compatible chat server.",
        )
    return reply
