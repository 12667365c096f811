"""A plane map of sentence embeddings that stays put: fitted once, new texts are placed on it.

UMAP where it can be waited for, principal components where it cannot or where there are too few
points for neighbourhoods to mean anything.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.errors import ModelLoadError

Method = Literal["umap", "pca"]
Say = Callable[[str], None]

FEWEST = 15
"""With fewer points than a UMAP neighbourhood holds, its map shows nothing but its own layout."""

MOST_SECONDS = 90.0
"""UMAP is left aside when it would take longer than this by the measured estimate."""

TRIAL = 400
SAMPLE = 4_000
"""UMAP is fitted on at most so many texts and the others are placed on its map. Beyond 4,096 it
looks neighbours up in an index whose making took ten minutes where the map itself took one."""
CHUNK = 2_000
N_NEIGHBORS = 15
MIN_DISTANCE = 0.1

Plane = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """A fitted map.

    Attributes:
        method: what made it.
        coordinates: (n, 2) of the texts that were given.
        fitted: (n,) whether the text was among those it was fitted on; the others were placed.
        reason: why this method, in words.
        seconds: what fitting took.
        model: the fitted reducer.
    """

    method: Method
    coordinates: Plane
    fitted: npt.NDArray[np.bool_]
    reason: str
    seconds: float
    model: Any

    def transform(self, vectors: npt.ArrayLike) -> Plane:
        """Where further embeddings belong on the same map; the map itself does not move.

        Args:
            vectors: (m, d) embeddings of the same model.

        Returns:
            (m, 2).
        """
        given = np.asarray(vectors, dtype=np.float32)
        if not len(given):
            return np.zeros((0, 2))
        return np.asarray(self.model.transform(given), dtype=np.float64)


def fit_projection(
    vectors: npt.ArrayLike,
    *,
    method: Method | None = None,
    seed: int = 0,
    most_seconds: float = MOST_SECONDS,
    say: Say | None = None,
) -> Projection:
    """Fits a map of embeddings.

    Args:
        vectors: (n, d) embeddings; UMAP compares them by cosine.
        method: by default UMAP unless there are fewer than 15 points or it would take too long.
        seed: of UMAP; the same seed gives the same map on the same machine.
        most_seconds: how long UMAP may take by the estimate.
        say: called with a line of text at each step.

    Raises:
        ModelLoadError: when UMAP is asked for and not installed.
    """
    given = np.asarray(vectors, dtype=np.float32)
    tell = say or (lambda _line: None)
    chosen, reason = (method, "as asked") if method else _choice(given, most_seconds, tell)
    began = time.perf_counter()
    fitted = np.ones(len(given), dtype=bool)
    if chosen == "umap":
        fitted = _sample(len(given), seed)
        tell(f"Laying out {int(fitted.sum()):,} texts with UMAP")
        model, coordinates = _umap_map(given, fitted, seed)
    else:
        model, coordinates = _pca(given)
    seconds = time.perf_counter() - began
    return Projection(chosen, coordinates, fitted, reason, seconds, model)


def umap_estimate(n: int) -> float:
    """Seconds that UMAP will take for `n` texts on this machine, from a small trial.

    The first call fits the trial twice, which also has UMAP compiled.
    """
    fitting, placing = _trial_seconds()
    fitted = min(n, SAMPLE)
    return fitting * fitted / TRIAL + placing * (n - fitted) / TRIAL


def _choice(vectors: npt.NDArray[np.float32], most: float, tell: Say) -> tuple[Method, str]:
    n = len(vectors)
    if n < FEWEST:
        return "pca", f"{n} texts are too few for UMAP's neighbourhoods of {N_NEIGHBORS}"
    try:
        tell("Getting UMAP ready (the first time takes up to a minute)")
        expected = umap_estimate(n)
    except ModelLoadError:
        return "pca", "umap-learn is not installed"
    if expected > most:
        return "pca", f"UMAP would take about {expected:.0f} s for {n:,} texts on this machine"
    return "umap", f"{n:,} texts"


@cache
def _trial_seconds() -> tuple[float, float]:
    """What fitting and placing the trial's points takes once all is compiled."""
    points = np.random.default_rng(0).normal(size=(TRIAL, 384)).astype(np.float32)
    compiled = _umap(TRIAL, 0).fit(points)
    compiled.transform(points[:FEWEST])
    began = time.perf_counter()
    model = _umap(TRIAL, 0).fit(points)
    fitted = time.perf_counter()
    model.transform(points)
    return fitted - began, time.perf_counter() - fitted


def _sample(n: int, seed: int) -> npt.NDArray[np.bool_]:
    chosen = np.zeros(n, dtype=bool)
    chosen[np.random.default_rng(seed).permutation(n)[:SAMPLE]] = True
    return chosen


def _umap_map(
    vectors: npt.NDArray[np.float32], fitted: npt.NDArray[np.bool_], seed: int
) -> tuple[Any, Plane]:
    model = _umap(int(fitted.sum()), seed)
    plane = np.zeros((len(vectors), 2))
    plane[fitted] = model.fit_transform(vectors[fitted])
    others = np.flatnonzero(~fitted)
    for start in range(0, len(others), CHUNK):
        part = others[start : start + CHUNK]
        plane[part] = model.transform(vectors[part])
    return model, plane


def _umap(n: int, seed: int) -> Any:
    try:
        import umap
    except ImportError as error:
        raise ModelLoadError(
            "The map needs umap-learn, which is not installed.",
            fix='Run: pip install "reward-workbench[embeddings]"',
        ) from error
    return umap.UMAP(
        n_neighbors=min(N_NEIGHBORS, n - 1),
        min_dist=MIN_DISTANCE,
        metric="cosine",
        random_state=seed,
        n_jobs=1,  # the same map each time needs one thread
    )


def _pca(vectors: npt.NDArray[np.float32]) -> tuple[Any, Plane]:
    from sklearn.decomposition import PCA

    n, width = vectors.shape
    model = PCA(n_components=max(1, min(2, n, width)), svd_solver="full")
    if n < 2 or not np.ptp(vectors, axis=0).any():
        return _Still(), np.zeros((n, 2))
    model.fit(vectors)
    wrapped = _Padded(model)
    return wrapped, wrapped.transform(vectors)


@dataclass(frozen=True)
class _Padded:
    """Principal components that always give two coordinates."""

    model: Any

    def transform(self, vectors: npt.NDArray[np.float32]) -> Plane:
        found = np.asarray(self.model.transform(vectors), dtype=np.float64)
        return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


class _Still:
    """The map of one text: everything lies where it does."""

    def transform(self, vectors: npt.NDArray[np.float32]) -> Plane:
        return np.zeros((len(vectors), 2))
