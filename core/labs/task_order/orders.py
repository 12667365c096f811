"""Which order of the tasks is predicted to end best.

Where both assumptions of `transfer` hold, task i ends at saturated_i plus the effects on it of all
tasks trained later, so that the mean is the objective of a linear-ordering problem: only pairs
(i before j) count. Up to eight tasks all orders are computed; beyond, a search improves orders by
insertions and swaps until neither helps, from several starts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.task_order.transfer import (
    Departure,
    IntArray,
    Transfer,
    as_draws,
    predicted_finals,
    predicted_path,
    walk,
)
from core.stats import FloatArray

MOST_EXACT = 8
"""Tasks up to which every order is computed: 40,320 orders."""

Scale = Literal["raw", "ceiling", "z"]
SCALES: tuple[Scale, ...] = get_args(Scale)

SCALE_MEANING: dict[Scale, str] = {
    "raw": "mean of the scores as they are; right only where all tasks share a scale",
    "ceiling": "each task's score divided by the level a stage of its own reaches, then the mean",
    "z": "each task's score in standard deviations over the predicted orders, then the mean",
}

SEPARATOR = " > "
_SAMPLE = 2_000


@dataclass(frozen=True)
class Objective:
    """How the scores of the tasks make one number: mean over tasks of (score - offset) · weight.

    Attributes:
        scale: which of `SCALES`.
        weight: (K,).
        offset: (K,).
        dropped: tasks without weight, as their scale cannot be taken (a level of zero or below, or
            no spread over the orders).
    """

    scale: Scale
    weight: FloatArray
    offset: FloatArray
    dropped: tuple[str, ...] = ()

    def of(self, scores: FloatArray) -> FloatArray:
        """(...) the objective of (..., K) scores; NaN where no task has a weight."""
        n_used = int((self.weight > 0).sum())
        if not n_used:
            return np.full(scores.shape[:-1], np.nan)
        return np.asarray(((scores - self.offset) * self.weight).sum(axis=-1) / n_used)


@dataclass(frozen=True)
class OrderRanking:
    """The orders, best first.

    Attributes:
        transfer: what they were predicted from.
        objective: how the tasks' scores were averaged.
        departure: how far the assumptions were given up.
        table: one row an order: `order` (names joined by " > "), `objective`, `mean` (plain mean of
            the scores), `rank` (1 is best, ties share the lower number), `clipped`, and the final
            score of each task as `final: NAME`. All orders where `exact`; otherwise those that the
            search ended in, each once.
        orders: (O, K) numbers of the tasks, in the rows of the table.
        exact: whether all orders were computed.
        greedy: order by the paper's rule (`greedy_order`).
        from_the_end: order by the same thought from the end (`last_first_order`).
    """

    transfer: Transfer
    objective: Objective
    departure: Departure
    table: pd.DataFrame
    orders: IntArray
    exact: bool
    greedy: tuple[int, ...]
    from_the_end: tuple[int, ...]

    @property
    def best(self) -> tuple[int, ...]:
        """The order predicted to end best."""
        return tuple(int(at) for at in self.orders[0])

    @property
    def worst(self) -> tuple[int, ...]:
        """The order predicted to end worst."""
        return tuple(int(at) for at in self.orders[-1])

    def value(self, order: Sequence[int]) -> float:
        """The objective of any order."""
        finals = predicted_finals(self.transfer, np.array([order], dtype=np.intp), self.departure)
        return float(self.objective.of(finals)[0])

    def rank(self, order: Sequence[int]) -> int:
        """Place of an order among those of the table, 1 is best; ties share the lower number."""
        value = self.value(order)
        better = self.table["objective"].to_numpy(dtype=np.float64) > value + 1e-12
        return 1 + int(better.sum())

    def named(self, order: Sequence[int]) -> str:
        """An order in words."""
        return order_name(self.transfer.tasks, order)


def order_name(tasks: Sequence[str], order: Sequence[int]) -> str:
    """Names of the tasks in an order, as the tables write it."""
    return SEPARATOR.join(tasks[at] for at in order)


def all_orders(k: int) -> IntArray:
    """(k!, k) every order of k tasks, in lexicographic order.

    Raises:
        ValueError: for more tasks than `MOST_EXACT`.
    """
    if not 1 <= k <= MOST_EXACT:
        raise ValueError(f"All orders are computed for 1 to {MOST_EXACT} tasks, not {k}.")
    return np.array(list(permutations(range(k))), dtype=np.intp)


def make_objective(
    transfer: Transfer, scale: Scale = "raw", departure: Departure | None = None, *, seed: int = 0
) -> Objective:
    """The average that orders are compared by.

    Args:
        transfer: the measured numbers.
        scale: see `SCALE_MEANING`. Beyond eight tasks "z" takes mean and standard deviation from
            2,000 random orders.
        departure: for "z", which goes over predicted scores.
        seed: of those random orders.

    Raises:
        ValueError: for an unknown scale.
    """
    k = transfer.n_tasks
    if scale not in SCALES:
        raise ValueError(f"The scale is one of {', '.join(SCALES)}, not {scale!r}.")
    if scale == "raw":
        return Objective(scale, np.ones(k), np.zeros(k))
    if scale == "ceiling":
        sound = transfer.saturated > 0
        weight = np.where(sound, 1 / np.where(sound, transfer.saturated, 1.0), 0.0)
        return Objective(scale, weight, np.zeros(k), _names(transfer, ~sound))
    finals = predicted_finals(transfer, _sampled_orders(k, seed), departure)
    spread = finals.std(axis=0)
    sound = spread > 1e-12
    weight = np.where(sound, 1 / np.where(sound, spread, 1.0), 0.0)
    return Objective(scale, weight, finals.mean(axis=0), _names(transfer, ~sound))


def _names(transfer: Transfer, which: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(task for task, out in zip(transfer.tasks, which, strict=True) if out)


def _sampled_orders(k: int, seed: int) -> IntArray:
    if k <= MOST_EXACT:
        return all_orders(k)
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(k) for _ in range(_SAMPLE)], dtype=np.intp)


def rank_orders(
    transfer: Transfer,
    *,
    scale: Scale = "raw",
    departure: Departure | None = None,
    also: Sequence[Sequence[int]] = (),
    seed: int = 0,
) -> OrderRanking:
    """Predicts the scores of the orders and sorts them by their mean.

    Args:
        transfer: the measured or typed-in numbers.
        scale: how tasks on different scales are averaged.
        departure: how far the assumptions are given up.
        also: orders that must be in the table even where not all orders are computed.
        seed: of the search beyond eight tasks.
    """
    departure = departure or Departure()
    objective = make_objective(transfer, scale, departure, seed=seed)
    greedy, from_the_end = greedy_order(transfer, departure), last_first_order(transfer)
    exact = transfer.n_tasks <= MOST_EXACT
    if exact:
        orders = all_orders(transfer.n_tasks)
    else:
        starts = [greedy, from_the_end]
        best, worst = (
            search(transfer, objective, departure, starts=starts, seed=seed, sign=sign)
            for sign in (1, -1)
        )
        found = {*map(tuple, best), *map(tuple, worst), greedy, from_the_end, *map(tuple, also)}
        orders = np.array(sorted(found), dtype=np.intp)
    walks = walk(as_draws(transfer), orders, transfer.bounds, departure)
    finals, clipped = walks.scores[0, :, -1], walks.clipped[0]
    values = objective.of(finals)
    # Rounded: sums in another order must not tear ties apart.
    place = np.argsort(-np.round(values, 12), kind="stable")
    table = _table(transfer, orders[place], values[place], finals[place], clipped[place])
    return OrderRanking(
        transfer, objective, departure, table, orders[place], exact, greedy, from_the_end
    )


def _table(
    transfer: Transfer,
    orders: IntArray,
    values: FloatArray,
    finals: FloatArray,
    clipped: FloatArray,
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "order": [order_name(transfer.tasks, order) for order in orders],
            "objective": values,
            "mean": finals.mean(axis=1),
            "rank": pd.Series(np.round(values, 12)).rank(method="min", ascending=False),
            "clipped": clipped,
        }
    )
    table["rank"] = table["rank"].fillna(1).astype(int)
    for at, task in enumerate(transfer.tasks):
        table[f"final: {task}"] = finals[:, at]
    return table


def greedy_order(transfer: Transfer, departure: Departure | None = None) -> tuple[int, ...]:
    """The paper's rule as it is described: always the task that helps those still to come most.

    At each stage every remaining task is tried, and the one after which the other remaining tasks
    have the highest mean score is trained. (Second-hand from arXiv 2507.14783; our reading.) Ties
    go to the earlier task of the table. By assumption 2 the score that this looks at is wiped when
    those tasks are trained themselves, so the rule need not find a good order, and can find the
    worst.
    """
    departure = departure or Departure()
    order: list[int] = []
    left = list(range(transfer.n_tasks))
    while len(left) > 1:
        scores = [
            predicted_prefix(transfer, [*order, at], departure)[[o for o in left if o != at]].mean()
            for at in left
        ]
        order.append(left.pop(int(np.argmax(np.round(scores, 12)))))
    return (*order, *left)


def predicted_prefix(
    transfer: Transfer, prefix: Sequence[int], departure: Departure | None = None
) -> FloatArray:
    """(K,) predicted scores after the first stages of an order."""
    rest = [at for at in range(transfer.n_tasks) if at not in set(prefix)]
    path, _ = predicted_path(transfer, [*prefix, *rest], departure)
    return np.asarray(path[len(prefix)])


def last_first_order(transfer: Transfer) -> tuple[int, ...]:
    """Our counterpart to the paper's rule: the most helpful task last.

    From the end: the task with the highest mean effect on those still without a place is trained
    last, then the next. Under the two assumptions only effects on tasks that were trained before
    survive, which is what this looks at. Ties go to the earlier task of the table.
    """
    left = list(range(transfer.n_tasks))
    order: list[int] = []
    while len(left) > 1:
        means = [transfer.effects[at, [o for o in left if o != at]].mean() for at in left]
        order.insert(0, left.pop(int(np.argmax(np.round(means, 12)))))
    return (*left, *order)


def search(
    transfer: Transfer,
    objective: Objective,
    departure: Departure | None = None,
    *,
    starts: Sequence[Sequence[int]] = (),
    n_random: int = 8,
    seed: int = 0,
    sign: int = 1,
) -> IntArray:
    """Local optima among orders under insertions and swaps of two tasks.

    Args:
        transfer: the numbers.
        objective: what is improved.
        departure: how far the assumptions are given up.
        starts: orders to begin from.
        n_random: random orders to begin from besides.
        seed: of the random ones.
        sign: 1 looks for the best orders, -1 for the worst.

    Returns:
        (n_starts, K) where each start ended, the best (or worst) first.
    """
    rng = np.random.default_rng(seed)
    k = transfer.n_tasks
    begin = [tuple(start) for start in starts]
    begin += [tuple(int(at) for at in rng.permutation(k)) for _ in range(n_random)]

    def value(orders: IntArray) -> FloatArray:
        return np.asarray(sign * objective.of(predicted_finals(transfer, orders, departure)))

    ends = np.array([_climb(start, value) for start in begin], dtype=np.intp)
    return np.asarray(ends[np.argsort(-value(ends), kind="stable")])


def _climb(start: tuple[int, ...], value: Callable[[IntArray], FloatArray]) -> tuple[int, ...]:
    """Takes the best neighbour until none is better."""
    order = start
    best = float(value(np.array([order], dtype=np.intp))[0])
    while True:
        around = np.array(sorted(_neighbours(order)), dtype=np.intp).reshape(-1, len(order))
        if not len(around):
            return order
        values = value(around)
        at = int(np.argmax(values))
        if not values[at] > best + 1e-12:
            return order
        order, best = tuple(int(task) for task in around[at]), float(values[at])


def _neighbours(order: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Every order that one insertion or one swap away leads to."""
    found: set[tuple[int, ...]] = set()
    for i in range(len(order)):
        rest = [*order[:i], *order[i + 1 :]]
        for j in range(len(order)):
            found.add((*rest[:j], order[i], *rest[j:]))
            swapped = list(order)
            swapped[i], swapped[j] = swapped[j], swapped[i]
            found.add(tuple(swapped))
    return found - {order}
