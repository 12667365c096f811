"""What a lab wants scored: conversations with the keys that say what each one is.

A lab is pure. `plan(...)` returns the conversations it needs; the caller scores them with one model
through the engine and hands the rewards back; `run(...)` reads them from the table. So the cost is
known before anything is scored, and the same lab runs on rewards from a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.schema import Conversation

CONVERSATION = "conversation"
REWARD = "reward"
ERROR = "error"


@dataclass(frozen=True)
class Plan:
    """Conversations to be scored.

    Attributes:
        requests: one row a conversation: the column `conversation` (a list of messages) and the
            lab's own key columns. Equal conversations may stand in several rows: the engine scores
            each once.
        left_out: what of the input could not be planned, counted by reason.
    """

    requests: pd.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.requests)

    def conversations(self) -> list[Conversation]:
        """The conversations, in the order of the rows."""
        return list(self.requests[CONVERSATION])

    def scored(self, rewards: npt.ArrayLike, errors: Sequence[str] | None = None) -> pd.DataFrame:
        """The requests with `reward` (float, NaN where there is none) and `error` ("" for none).

        Args:
            rewards: (n,) one a row.
            errors: (n,) why a row has no reward.

        Raises:
            ValueError: when the number of rewards or errors is not the number of rows.
        """
        values = np.asarray(rewards, dtype=np.float64)
        reasons = list(errors) if errors is not None else [""] * len(self)
        if values.shape != (len(self),) or len(reasons) != len(self):
            raise ValueError(
                f"{len(self)} conversations, {values.size} rewards, {len(reasons)} errors."
            )
        return self.requests.assign(reward=values, error=reasons)
