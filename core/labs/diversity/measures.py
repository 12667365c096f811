"""How diverse the responses of one group are, as numbers.

All of them depend on how many responses there are: compare groups of one size only, or use
`distinct_at_k`, which asks the same of every group.
"""

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from core.labs.diversity.classes import ngrams, words
from core.labs.groups import FloatArray, rarefied_distinct


def vendi_score(similarity: npt.ArrayLike, *, order: float = 1.0) -> float:
    """Effective number of different responses: exp of the entropy of the eigenvalues of K / n.

    1 when all are the same, n when nothing is like anything. Friedman and Dieng 2023
    (arXiv 2210.02410), eq. 1; other orders are the Renyi family of Pasarkar and Dieng 2024
    (arXiv 2310.12952): 2 listens to common kinds, infinity only to the commonest.

    Args:
        similarity: (n, n) positive semi-definite with ones on the diagonal.
        order: of the entropy, above 0; 1 is Shannon's.

    Returns:
        Between 1 and n; NaN for no responses.

    Raises:
        ValueError: when the similarity is not a similarity, or the order is not above 0.
    """
    kernel = np.asarray(similarity, dtype=np.float64)
    n = len(kernel)
    if not n:
        return float("nan")
    if order <= 0:
        raise ValueError(f"The order must be above 0, not {order}.")
    if kernel.shape != (n, n) or not np.allclose(np.diag(kernel), 1.0):
        raise ValueError("A similarity is square, with ones on the diagonal.")
    if not np.allclose(kernel, kernel.T):
        raise ValueError("A similarity is symmetric.")
    shares = np.linalg.eigvalsh(kernel / n)
    # Jaccard and thresholded similarities can have slightly negative eigenvalues.
    shares = shares[shares > 1e-12]
    shares = shares / shares.sum()
    if np.isinf(order):
        return float(1.0 / shares.max())
    if order == 1.0:
        return float(np.exp(-(shares * np.log(shares)).sum()))
    return float((shares**order).sum() ** (1.0 / (1.0 - order)))


def mean_distance(similarity: npt.ArrayLike) -> float:
    """Mean of 1 - similarity over all pairs; NaN for fewer than two responses."""
    kernel = np.asarray(similarity, dtype=np.float64)
    n = len(kernel)
    if n < 2:
        return float("nan")
    return float((1.0 - kernel[np.triu_indices(n, 1)]).mean())


def distinct_n(texts: Sequence[str], n: int = 2) -> float:
    """Different runs of `n` words over all of them, in all responses together; NaN without words.

    Li et al. 2016 (arXiv 1510.03055), section 5. It falls with the length of the texts and can be
    raised by odd wording alone.
    """
    runs = Counter(run for text in texts for run in ngrams(words(text), n))
    total = sum(runs.values())
    return len(runs) / total if total else float("nan")


def unique_ngram_share(texts: Sequence[str], n: int = 4) -> FloatArray:
    """Of each response's runs of `n` words, the share that no other response has.

    The lexical variant of Div in the paper's code (Li et al. 2025), which can be gamed by odd
    wording. NaN for a response without words.
    """
    own = [set(ngrams(words(text), n)) for text in texts]
    holders = Counter(run for runs in own for run in runs)
    return np.array(
        [sum(holders[run] == 1 for run in runs) / len(runs) if runs else np.nan for runs in own]
    )


def distinct_at_k(classes: Sequence[Hashable], k: int) -> float:
    """Expected number of classes among k of the responses, drawn without replacement.

    Unbiased rarefaction (`core.labs.groups.rarefied_distinct`); NaN where fewer than k are there.
    """
    return rarefied_distinct(list(Counter(classes).values()), k)
