"""Do reward models read the prompt? One module a view of the question.

- `swaps`: pairs read under other prompts (`other_prompts` makes them): retention, flips, offenders.
- `matrix`: every prompt with every response: ranks of the own one and, in `variance`, the split.
- `decomposition`: prompt-free and prompt-related part of each gap (`prompt_free` estimates them).
- `ablations`: what a reward loses without the question, and with broken reasoning.
- `training_weights`: weights for training on pairs that must be read with their prompt.
- `leaderboard`: several models side by side, with a verdict in words.

Each lab module has `plan` (what to score) and `run` (scored table to result) and is used as such:
`swaps.plan(pairs)`, score, `swaps.run(scored)`.
"""

from core.labs.prompt_awareness import (
    ablations,
    decomposition,
    leaderboard,
    matrix,
    swaps,
    training_weights,
)

__all__ = ["ablations", "decomposition", "leaderboard", "matrix", "swaps", "training_weights"]
