"""How alike any rows of a rollout table are, by one method prepared once for the whole table."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.diversity.classes import (
    IntArray,
    Method,
    classifier_similarity,
    cosine_similarity,
    exact_similarity,
    jaccard_similarity,
    ngram_similarity,
    tfidf_vectors,
    token_overlap_similarity,
)
from core.labs.groups import FloatArray

NO_TEXT = "no text"

OfTexts = Callable[[list[str]], FloatArray]


@dataclass(frozen=True)
class Similarity:
    """How alike the rows of one table are.

    Attributes:
        method: what is compared.
        table: the usable rows, index from 0 up; positions below are places in it.
        of: takes (n,) positions, gives their (n, n) similarity.
        left_out: rows of the caller's table that cannot be compared, by reason.
        n_unreadable: rows without an answer; under "exact" they count as one answer.
    """

    method: Method
    table: pd.DataFrame
    of: Callable[[IntArray], FloatArray]
    left_out: dict[str, int]
    n_unreadable: int = 0

    def texts(self, positions: IntArray) -> list[str]:
        """The responses at these positions."""
        return [str(text) for text in self.table["response"].iloc[positions]]


def prepare(
    table: pd.DataFrame,
    method: Method,
    *,
    vectors: npt.ArrayLike | None = None,
    probability: Callable[[str, str], float] | None = None,
) -> Similarity:
    """Readies a rollout table for comparing its rows.

    Args:
        table: rollouts; "exact" reads `answer`, all else `response`.
        method: how alike two rows are.
        vectors: (rows, d) sentence embeddings of the table's rows, for "embedding".
        probability: of two texts saying the same, for "classifier".

    Raises:
        TableError: when the table lacks what the method reads.
    """
    if method == "exact":
        return _exact(table)
    if "response" not in table.columns or not table["response"].notna().any():
        raise TableError(
            "These rollouts have no texts.", fix="Compare their answers: choose the exact answer."
        )
    has_text = table["response"].notna().to_numpy()
    usable = table.loc[has_text].reset_index(drop=True)
    n_without = int((~has_text).sum())
    left_out = {NO_TEXT: n_without} if n_without else {}
    given = None if vectors is None else np.asarray(vectors)
    if method == "embedding":
        if given is None or len(given) != len(table):
            raise TableError("The embedding method needs one embedding for each row.")
        kept = given[has_text]
        return Similarity(method, usable, lambda at: cosine_similarity(kept[at]), left_out)
    if method == "tf-idf":
        return _tfidf(usable, left_out)
    return _of_texts(usable, method, left_out, probability)


def _exact(table: pd.DataFrame) -> Similarity:
    if "answer" not in table.columns or not table["answer"].notna().any():
        raise TableError(
            "These rollouts have no answers.", fix="Compare their texts, or read answers off them."
        )
    usable = table.reset_index(drop=True)
    # Missing answers get the code -1, all of them the same.
    codes = pd.factorize(usable["answer"])[0]
    return Similarity(
        "exact",
        usable,
        lambda at: exact_similarity(codes[at].tolist()),
        {},
        int(usable["answer"].isna().sum()),
    )


def _tfidf(usable: pd.DataFrame, left_out: dict[str, int]) -> Similarity:
    counted = tfidf_vectors([str(text) for text in usable["response"]])

    def of(at: IntArray) -> FloatArray:
        rows = counted[at]
        found = np.clip(np.asarray((rows @ rows.T).todense(), dtype=np.float64), 0.0, 1.0)
        np.fill_diagonal(found, 1.0)
        return found

    return Similarity("tf-idf", usable, of, left_out)


def _of_texts(
    usable: pd.DataFrame,
    method: Method,
    left_out: dict[str, int],
    probability: Callable[[str, str], float] | None,
) -> Similarity:
    makers: dict[str, OfTexts] = {
        "token-overlap": token_overlap_similarity,
        "jaccard": jaccard_similarity,
        "n-gram": ngram_similarity,
    }
    if method == "classifier":
        if probability is None:
            raise TableError("The classifier method needs a function of two texts.")
        known = probability
        makers["classifier"] = lambda texts: classifier_similarity(texts, known)
    make = makers[method]
    responses = [str(text) for text in usable["response"]]
    return Similarity(method, usable, lambda at: make([responses[place] for place in at]), left_out)
