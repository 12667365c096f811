"""A small classifier of "do these two say the same?": logistic regression on four similarities.

Trained on the 1,000 training pairs of NoveltyBench's human labels (Zhang et al. 2025, arXiv
2504.05228). It is here to be held against the similarities it is made of; `calibrated` says how it
compares. `tests/core/labs/diversity/test_calibrated.py` fits it again.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from core.labs.diversity.classes import Method
from core.labs.groups import FloatArray

INPUTS: tuple[Method, ...] = ("tf-idf", "jaccard", "token-overlap", "n-gram")
"""The similarities that it reads."""

WEIGHTS: tuple[float, ...] = (6.2706, -0.6923, 3.8123, -3.3095)
"""By input, of the similarity as it is, between 0 and 1."""

INTERCEPT = -4.2495


def fitted(training: pd.DataFrame) -> tuple[tuple[float, ...], float]:
    """Weights and intercept from labelled pairs.

    Args:
        training: one row a pair: the columns `INPUTS`, and `similar` (what people said).

    Returns:
        Weights by input, of the similarity as it is, and the intercept. Inputs are standardised
        while fitting, so that the penalty (L2, C = 1) treats them alike.
    """
    from sklearn.linear_model import LogisticRegression

    inputs = training[list(INPUTS)].to_numpy(dtype=np.float64)
    centre, spread = inputs.mean(axis=0), inputs.std(axis=0)
    model = LogisticRegression(C=1.0).fit((inputs - centre) / spread, training["similar"])
    weights = model.coef_[0] / spread
    intercept = float(model.intercept_[0] - weights @ centre)
    return tuple(float(weight) for weight in weights), intercept


def probability(similarities: Mapping[str, npt.ArrayLike]) -> FloatArray:
    """Probability that two responses say the same, from their similarities.

    Args:
        similarities: an array for each of `INPUTS`, all of one shape.

    Returns:
        The same shape, between 0 and 1.
    """
    total: FloatArray = np.full(np.shape(np.asarray(similarities[INPUTS[0]])), INTERCEPT)
    for name, weight in zip(INPUTS, WEIGHTS, strict=True):
        total = total + weight * np.asarray(similarities[name], dtype=np.float64)
    return np.asarray(expit(total), dtype=np.float64)
