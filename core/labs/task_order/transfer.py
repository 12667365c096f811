"""What training on one task does to the others, and what that predicts for a sequence of tasks.

Two assumptions make a sequence predictable from single-task runs (arXiv 2507.14783 states them
without a proof). 1: the effect of training on a task is additive and the same whatever was trained
before. 2: one pass over a task brings it to the same level wherever it started. The algebra is our
reading; `Departure` breaks either assumption by a chosen amount.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from core.errors import TableError
from core.stats import FloatArray

IntArray = npt.NDArray[np.intp]

Dependence = Literal["stage", "level"]
DEPENDENCES: tuple[Dependence, ...] = get_args(Dependence)


@dataclass(frozen=True)
class Transfer:
    """Scores before and after training, for K tasks.

    Attributes:
        tasks: (K,) names.
        before: (K,) score of each task before any training.
        saturated: (K,) score of each task right after a stage of its own.
        effects: (K, K) change of the score of the column's task by training on the row's task
            (BWT[row to column]); the diagonal is not used.
        bounds: lowest and highest score there can be, or None where scores have no bounds.
    """

    tasks: tuple[str, ...]
    before: FloatArray
    saturated: FloatArray
    effects: FloatArray
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        k = len(self.tasks)
        shapes = (self.before.shape, self.saturated.shape, self.effects.shape)
        if shapes != ((k,), (k,), (k, k)):
            raise TableError(
                f"{k} tasks, but scores and effects of shapes {shapes}.",
                fix="Give each task a score before, a score after its stage, and a row and a "
                "column of effects.",
            )
        if not k or len(set(self.tasks)) != k:
            raise TableError(
                f"The tasks need names that differ: {', '.join(self.tasks) or 'none'}."
            )
        self._check_numbers()

    def _check_numbers(self) -> None:
        off_diagonal = ~np.eye(len(self.tasks), dtype=bool)
        missing = [
            f"{name} of {task}"
            for name, values in (("before", self.before), ("saturated", self.saturated))
            for task, value in zip(self.tasks, values, strict=True)
            if not np.isfinite(value)
        ]
        missing += [
            f"effect of {self.tasks[j]} on {self.tasks[i]}"
            for j, i in np.argwhere(~np.isfinite(self.effects) & off_diagonal)
        ]
        if missing:
            raise TableError(
                f"No number for: {', '.join(missing[:6])}{' …' if len(missing) > 6 else ''}.",
                fix="Fill them in, or take these tasks out.",
            )

    @property
    def n_tasks(self) -> int:
        """How many tasks there are."""
        return len(self.tasks)

    def outgoing(self) -> FloatArray:
        """(K,) mean effect of training on each task over the others; NaN for one task."""
        return self._mean_effect(axis=1)

    def incoming(self) -> FloatArray:
        """(K,) mean effect on each task over training on the others: how forgettable it is."""
        return self._mean_effect(axis=0)

    def _mean_effect(self, axis: int) -> FloatArray:
        if self.n_tasks < 2:
            return np.full(self.n_tasks, np.nan)
        effects = self.effects.copy()
        np.fill_diagonal(effects, 0.0)
        return np.asarray(effects.sum(axis=axis) / (self.n_tasks - 1))

    def indices(self, order: Sequence[str]) -> tuple[int, ...]:
        """An order by the tasks' numbers.

        Raises:
            TableError: when it does not hold each task once.
        """
        if sorted(order) != sorted(self.tasks):
            raise TableError(
                f"The order {' > '.join(order)} does not hold each task once.",
                fix=f"The tasks are {', '.join(self.tasks)}.",
            )
        return tuple(self.tasks.index(task) for task in order)


@dataclass(frozen=True)
class Departure:
    """How far the two assumptions are given up. The default keeps both.

    Attributes:
        interaction: against assumption 1; each effect is multiplied by 1 + interaction · g. 0 keeps
            the assumption, -1 takes the effect away where g is 1, and +1 doubles it there.
        depends_on: what g is. "stage": the share of stages already trained, 0 at the first and 1
            at the last, as when learning rates fall along the sequence. "level": the share of the
            affected task's own gain that is reached, (a - before) / (saturated - before) within 0
            and 1, as when there is more to lose once it is learnt.
        saturation: against assumption 2; a pass closes this share of the distance to the saturated
            level, a + saturation · (saturated - a). 1 keeps the assumption; 0 to 1.
        clip: whether predicted scores are held within the bounds after each stage.
    """

    interaction: float = 0.0
    depends_on: Dependence = "stage"
    saturation: float = 1.0
    clip: bool = True

    def __post_init__(self) -> None:
        if self.depends_on not in DEPENDENCES:
            raise ValueError(f"depends_on is one of {', '.join(DEPENDENCES)}.")
        if not 0 <= self.saturation <= 1 or not np.isfinite(self.interaction):
            raise ValueError("saturation lies between 0 and 1, and interaction is finite.")

    @property
    def keeps_assumptions(self) -> bool:
        """Whether both assumptions hold."""
        return self.interaction == 0 and self.saturation == 1


@dataclass(frozen=True)
class Draws:
    """Many versions of one `Transfer`, as resampling gives them; D versions of K tasks.

    Attributes:
        before: (D, K).
        saturated: (D, K).
        effects: (D, K, K), the diagonal not used.
    """

    before: FloatArray
    saturated: FloatArray
    effects: FloatArray

    def __len__(self) -> int:
        return len(self.before)

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """(D,) whether a draw has a number for everything."""
        effects = self.effects.copy()
        diagonal = np.arange(effects.shape[1])
        effects[:, diagonal, diagonal] = 0.0
        return np.asarray(
            np.isfinite(self.before).all(axis=1)
            & np.isfinite(self.saturated).all(axis=1)
            & np.isfinite(effects).all(axis=(1, 2))
        )


@dataclass(frozen=True)
class Walks:
    """Predicted scores along orders.

    Attributes:
        scores: (D, O, K + 1, K) score of each task (last axis, in the order of the tasks) before
            the first stage and after each stage, for D draws and O orders.
        clipped: (D, O) whether a score ran out of the bounds on the way.
    """

    scores: FloatArray
    clipped: npt.NDArray[np.bool_]


def walk(
    draws: Draws,
    orders: IntArray,
    bounds: tuple[float, float] | None = (0.0, 1.0),
    departure: Departure | None = None,
) -> Walks:
    """Predicted scores after every stage of every order.

    At the stage of task j every other task i gets a_i + effects[j, i], and a_j becomes the
    saturated level, both as changed by `departure`. Methods of arXiv 2507.14783; algebra our own.

    Args:
        draws: D versions of the measured numbers.
        orders: (O, K) numbers of the tasks, in the order of training.
        bounds: as in `Transfer`.
        departure: how far the assumptions are given up.
    """
    departure = departure or Departure()
    n_draws, k = draws.before.shape
    n_orders = len(orders)
    scores = np.empty((n_draws, n_orders, k + 1, k))
    scores[:, :, 0] = draws.before[:, None]
    outside = np.zeros((n_draws, n_orders), dtype=bool)
    gain = draws.saturated - draws.before
    for stage in range(k):
        trained = orders[:, stage]
        level = scores[:, :, stage]
        factor = _factor(departure, stage, k, level, draws.before, gain)
        reached = level + draws.effects[:, trained] * factor
        every = np.arange(n_orders)
        own = level[:, every, trained]
        reached[:, every, trained] = own + departure.saturation * (
            draws.saturated[:, trained] - own
        )
        if bounds is not None:
            # Rounding of sums must not count as leaving the range.
            beyond = (reached < bounds[0] - 1e-9) | (reached > bounds[1] + 1e-9)
            outside |= beyond.any(axis=2)
            if departure.clip:
                reached = np.clip(reached, *bounds)
        scores[:, :, stage + 1] = reached
    return Walks(scores, outside)


def _factor(
    departure: Departure,
    stage: int,
    k: int,
    level: FloatArray,
    before: FloatArray,
    gain: FloatArray,
) -> FloatArray | float:
    """What effects are multiplied by at a stage: a number, or (D, O, K) by affected task."""
    if departure.interaction == 0:
        return 1.0
    if departure.depends_on == "stage":
        return 1.0 + departure.interaction * (stage / (k - 1) if k > 1 else 0.0)
    learns = np.abs(gain) > 1e-12
    share = (level - before[:, None]) / np.where(learns, gain, 1.0)[:, None]
    reached = np.where(learns[:, None], np.clip(share, 0.0, 1.0), 0.0)
    return np.asarray(1.0 + departure.interaction * reached)


def as_draws(transfer: Transfer) -> Draws:
    """One draw that holds the numbers themselves."""
    return Draws(transfer.before[None], transfer.saturated[None], transfer.effects[None])


def predicted_path(
    transfer: Transfer, order: Sequence[int], departure: Departure | None = None
) -> tuple[FloatArray, bool]:
    """Scores along one order: (K + 1, K), and whether one ran out of the bounds."""
    walks = walk(as_draws(transfer), np.array([order], dtype=np.intp), transfer.bounds, departure)
    return walks.scores[0, 0], bool(walks.clipped[0, 0])


def predicted_finals(
    transfer: Transfer, orders: IntArray, departure: Departure | None = None
) -> FloatArray:
    """(O, K) predicted scores after the last stage of each order."""
    return walk(as_draws(transfer), orders, transfer.bounds, departure).scores[0, :, -1]


def noisy_draws(
    transfer: Transfer, standard_error: float, n_draws: int, rng: np.random.Generator
) -> Draws:
    """Draws of typed-in numbers that have no items behind them: each gets normal noise.

    Args:
        transfer: the numbers.
        standard_error: of every saturated score and every effect, in units of the score. A matrix
            from one seed is uncertain by 0.01 to 0.02 and more.
        n_draws: how many.
        rng: source of the noise.

    Raises:
        ValueError: when the standard error is negative or not finite.
    """
    if not (np.isfinite(standard_error) and standard_error >= 0):
        raise ValueError(f"The standard error must be 0 or more, not {standard_error}.")
    k = transfer.n_tasks
    saturated = transfer.saturated + standard_error * rng.standard_normal((n_draws, k))
    effects = transfer.effects + standard_error * rng.standard_normal((n_draws, k, k))
    return Draws(np.repeat(transfer.before[None], n_draws, axis=0), saturated, effects)
