"""OpenRLHF's reward server: /get_reward takes whole texts and their prompts.

The server strips padding and end-of-text tokens from the end and appends one end-of-text token; it
may normalise by a mean and standard deviation of its own, which nothing in its answer tells.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from core.models.remote.protocol import Answer, Client, Row, Sent, numbers


class OpenRlhfReward(Client):
    """`/get_reward`: one reward for each text."""

    route: ClassVar[str] = "/get_reward"
    needs_text: ClassVar[str] = "OpenRLHF's reward server"

    def ask(
        self,
        batch: Sequence[Sent],
        *,
        activated: bool,  # noqa: ARG002 - it has no activation to switch off
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Answer:
        body = {
            "query": [item.text for item in batch],
            "prompts": [item.prompt for item in batch],
        }
        reply = self.connection.post(self.route, body, should_stop=should_stop)
        rewards = reply.get("rewards") if isinstance(reply, dict) else None
        if not isinstance(rewards, list) or len(rewards) != len(batch):
            raise self.wrong(f"the list 'rewards' of {len(batch)}", reply)
        found = [numbers(reward, columns=len(self.card.reward.objectives)) for reward in rewards]
        return Answer(tuple(row if isinstance(row, str) else Row(row) for row in found))
