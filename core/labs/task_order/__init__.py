"""Does the order of training reshape how a model handles its tasks? One module a part.

- `transfer`: scores before, after a stage of its own, and the effect of each task on the others;
  the walk along an order, with the two assumptions or without.
- `orders`: predicted scores of every order; best, worst, greedy.
- `evaluations`: recorded or uploaded scores by stage; `measured`: the matrix from them.
- `survival`: does the ranking survive other problems?
- `comparison`: predicted against observed, without leakage.
- `assumptions`: do the two assumptions hold on the recorded runs?
- `classic`: backward and forward transfer and forgetting of a sequence.
- `entropy`: sharpening and flattening by stage, and the temperature they equal.
"""

from core.labs.task_order import (
    assumptions,
    classic,
    comparison,
    entropy,
    evaluations,
    measured,
    orders,
    survival,
    tables,
    transfer,
)

__all__ = [
    "assumptions",
    "classic",
    "comparison",
    "entropy",
    "evaluations",
    "measured",
    "orders",
    "survival",
    "tables",
    "transfer",
]
