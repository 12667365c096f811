"""What an objective sees of a batch, and what it gives back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from core.training.groups import SWAPPED, SWAPPED_FLAWED, TrainingGroup, TrainingText


@dataclass(frozen=True)
class RewardBatch:
    """The rewards of a batch of groups and who is compared with whom.

    Attributes:
        rewards: (n,) float, one a text, in the order of the groups' texts.
        chosen: (p,) positions in `rewards` of each pair's chosen text.
        rejected: (p,) positions of its rejected text.
        tied: (t, 2) positions of texts of which neither is better.
        paraphrased: (k,) positions of the texts that have a paraphrase.
        paraphrase_rewards: (k,) the rewards of these paraphrases.
        nuisance: (n,) output of the second head, where there is one.
        heads: (2, hidden) weights of both heads, where there are two.
        groups: the groups, for objectives that look at what the texts are.
    """

    rewards: torch.Tensor
    chosen: torch.Tensor
    rejected: torch.Tensor
    tied: torch.Tensor
    paraphrased: torch.Tensor
    paraphrase_rewards: torch.Tensor
    nuisance: torch.Tensor | None
    heads: torch.Tensor | None
    groups: tuple[TrainingGroup, ...]

    @property
    def margins(self) -> torch.Tensor:
        """(p,) reward of the chosen minus reward of the rejected text."""
        return self.rewards[self.chosen] - self.rewards[self.rejected]

    @property
    def texts(self) -> list[TrainingText]:
        """(n,) the texts, in the order of `rewards`."""
        return [text for group in self.groups for text in group.texts]

    def is_chosen(self) -> torch.Tensor:
        """(n,) whether a text is its group's chosen one."""
        marks = torch.zeros(len(self.rewards), dtype=torch.bool, device=self.rewards.device)
        marks[self.chosen] = True
        return marks


@dataclass(frozen=True)
class Loss:
    """What is minimised, in two parts.

    Attributes:
        likelihood: how badly the pairs are ranked, with everything that only sets the level.
        penalty: the objective's own term, its coefficient included; 0 where it has none.
    """

    likelihood: torch.Tensor
    penalty: torch.Tensor

    @property
    def total(self) -> torch.Tensor:
        """The differentiable scalar."""
        return self.likelihood + self.penalty


Objective = Callable[[RewardBatch], Loss]
"""What training minimises."""


def batch_texts(groups: Sequence[TrainingGroup]) -> list[tuple[int, ...]]:
    """Token ids of everything a batch needs read: all texts, then all paraphrases."""
    texts = [text for group in groups for text in group.texts]
    return [t.ids for t in texts] + [t.paraphrase for t in texts if t.paraphrase is not None]


def reward_batch(
    outputs: torch.Tensor, groups: Sequence[TrainingGroup], *, heads: torch.Tensor | None = None
) -> RewardBatch:
    """Pairs every group's first text with each of its others.

    Args:
        outputs: (n + k,) or (n + k, 1) rewards of `batch_texts(groups)`, or (n + k, 2) with the
            second head's outputs beside them.
        groups: the batch.
        heads: (2, hidden) weights of both heads, where there are two.
    """
    chosen, rejected, tied, start = [], [], [], 0
    for group in groups:
        others = range(start + 1, start + len(group.texts))
        chosen += [start] * len(others)
        rejected += list(others)
        tied += [(start + place, start + place + 1) for place in _ties(group)]
        start += len(group.texts)
    texts = [text for group in groups for text in group.texts]
    paraphrased = [place for place, text in enumerate(texts) if text.paraphrase is not None]
    columns = outputs if outputs.ndim > 1 else outputs[:, None]
    rewards = columns[:, 0]

    def positions(values: Sequence[object], *shape: int) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.long, device=outputs.device).reshape(*shape)

    return RewardBatch(
        rewards=rewards[: len(texts)],
        chosen=positions(chosen, -1),
        rejected=positions(rejected, -1),
        tied=positions(tied, -1, 2),
        paraphrased=positions(paraphrased, -1),
        paraphrase_rewards=rewards[len(texts) :],
        nuisance=columns[: len(texts), 1] if columns.shape[1] > 1 else None,
        heads=heads,
        groups=tuple(groups),
    )


def _ties(group: TrainingGroup) -> list[int]:
    """Places of swapped texts that are followed by a flawed one of the same other prompt."""
    kinds = [text.kind for text in group.texts]
    return [
        place for place, pair in enumerate(pairwise(kinds)) if pair == (SWAPPED, SWAPPED_FLAWED)
    ]
