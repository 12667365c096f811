"""Responses on a plane: what each point is, and kinds of responses with the words they share."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.cluster import KMeans

from core.labs.diversity.classes import IntArray, tfidf_vectors_and_words

COLOURS: dict[str, str] = {
    "reward": "reward",
    "cluster": "cluster",
    "correct": "right or wrong",
    "step": "step",
    "temperature": "temperature",
    "run": "run",
    "problem_id": "problem",
}
"""Columns that points can be coloured by, and what they are called."""

CLUSTER = "cluster"


def clusters(vectors: npt.ArrayLike, k: int, *, seed: int = 0) -> IntArray:
    """k-means clusters of the embeddings themselves, not of their places on the map.

    Args:
        vectors: (n, d) of length 1.
        k: how many; fewer where there are fewer different texts.
        seed: of the starts.

    Returns:
        (n,) cluster of each, the largest first.
    """
    given = np.asarray(vectors, dtype=np.float32)
    different = len(np.unique(given, axis=0))
    if different < 2:
        return np.zeros(len(given), dtype=np.int64)
    fitted = KMeans(min(k, different), n_init=4, random_state=seed).fit(given)
    sizes = np.bincount(fitted.labels_)
    place = np.argsort(np.argsort(-sizes, kind="stable"), kind="stable")
    return np.asarray(place[fitted.labels_], dtype=np.int64)


def cluster_names(texts: Sequence[str], labels: IntArray, *, n_words: int = 3) -> list[str]:
    """Each cluster by number and the words that set it apart from the other texts.

    Args:
        texts: of all points.
        labels: (n,) cluster of each.
        n_words: how many words.
    """
    counted, vocabulary = tfidf_vectors_and_words(texts)
    overall = np.asarray(counted.mean(axis=0)).ravel()
    names = []
    for k in range(int(labels.max(initial=-1)) + 1):
        own = np.asarray(counted[np.flatnonzero(labels == k)].mean(axis=0)).ravel()
        top = np.argsort(-(own - overall), kind="stable")[:n_words]
        words = [vocabulary[at] for at in top if own[at] > overall[at]]
        names.append(f"{k + 1}: {', '.join(words)}" if words else str(k + 1))
    return names


def map_table(
    table: pd.DataFrame,
    coordinates: npt.ArrayLike,
    labels: IntArray,
    names: Sequence[str],
) -> pd.DataFrame:
    """One row a point: `x`, `y`, `cluster`, and the columns of the rollouts it can be coloured by.

    Args:
        table: rollouts, one a point.
        coordinates: (n, 2).
        labels: (n,) cluster of each.
        names: of the clusters.
    """
    plane = np.asarray(coordinates, dtype=np.float64)
    known = [name for name in (*COLOURS, "sample", "split") if name in table.columns]
    points = table[[name for name in known if name != CLUSTER]].reset_index(drop=True)
    points.insert(0, "x", plane[:, 0])
    points.insert(1, "y", plane[:, 1])
    points[CLUSTER] = [names[label] for label in labels]
    return points


def within(coordinates: npt.ArrayLike, corners: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which points lie within a closed line, such as a lasso; one that crosses itself has holes.

    Args:
        coordinates: (n, 2).
        corners: (m, 2) of the line, in order; the last is joined to the first.
    """
    plane = np.asarray(coordinates, dtype=np.float64)
    x, y = plane[:, 0], plane[:, 1]
    line = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
    inside = np.zeros(len(plane), dtype=bool)
    for (x1, y1), (x2, y2) in zip(line, np.roll(line, -1, axis=0), strict=True):
        spans = (y1 > y) != (y2 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = x1 + (y - y1) / (y2 - y1) * (x2 - x1)
        inside ^= spans & (x < crossing)
    return inside


def colours(points: pd.DataFrame) -> list[str]:
    """Columns that tell points apart: those with more than one value."""
    return [name for name in COLOURS if name in points and points[name].nunique() > 1]


def cluster_rewards(points: pd.DataFrame) -> pd.DataFrame:
    """One row a cluster: how many points and problems, mean reward, and its spread.

    Texts are clustered over all problems: a cluster of one problem is its subject, not a style.
    """
    grouped = points.groupby(CLUSTER, sort=True)
    return grouped.agg(
        n=("x", "size"),
        problems=("problem_id", "nunique"),
        mean_reward=("reward", "mean"),
        reward_std=("reward", "std"),
    ).reset_index()
