"""A reward that stays where it is when a response is only reworded."""

from core.training.objectives.batch import Loss, Objective, RewardBatch
from core.training.objectives.likelihood import level, pair_loss


def paraphrase_consistent(
    *, coefficient: float, centring: float = 0.0, tie_weight: float = 0.0
) -> Objective:
    """Bradley-Terry plus `coefficient` times the mean squared change of reward by a paraphrase.

    The mean is over the texts of the batch, chosen and rejected, that have a paraphrase; texts to
    which no rule applies take no part.

    Source: Wu et al. 2025 (reWordBench, 2503.11751), (r(x, y) - r(x, y~))^2; that both sides of a
    pair enter, as a mean, is our reading.
    """

    def loss(batch: RewardBatch) -> Loss:
        likelihood = pair_loss(batch, tie_weight=tie_weight) + level(batch, centring)
        if not len(batch.paraphrased):
            return Loss(likelihood, likelihood.new_zeros(()))
        changes = batch.paraphrase_rewards - batch.rewards[batch.paraphrased]
        return Loss(likelihood, coefficient * changes.square().mean())

    return loss
