"""How alike any rows of a rollout table are, by one method prepared once for the whole table."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import TableError
from core.labs.diversity import pair_classifier
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
        n_unreadable: rows without an answer (or class); under "exact" (or "given") those of a group
            count as one.
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
        table: rollouts; "exact" reads `answer`, "given" `class_id`, all else `response`.
        method: how alike two rows are.
        vectors: (rows, d) sentence embeddings of the table's rows, for "embedding".
        probability: of two texts saying the same, for "classifier"; by default that of
            `core.labs.diversity.pair_classifier`.

    Raises:
        TableError: when the table lacks what the method reads.
    """
    if method in ("exact", "given"):
        return _exact(table, method)
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
    if method == "classifier" and probability is None:
        return _classified(usable, left_out)
    return _of_texts(usable, method, left_out, probability)


def _exact(table: pd.DataFrame, method: Method) -> Similarity:
    column = "answer" if method == "exact" else "class_id"
    if column not in table.columns or not table[column].notna().any():
        raise TableError(
            f"These rollouts have no {'answers' if method == 'exact' else 'classes'}.",
            fix="Compare their texts, or read answers off them."
            if method == "exact"
            else "Give a column `class_id` that says which responses to a problem say the same.",
        )
    usable = table.reset_index(drop=True)
    # Missing values get the code -1, all of them the same.
    codes = pd.factorize(usable[column])[0]
    return Similarity(
        method,
        usable,
        lambda at: exact_similarity(codes[at].tolist()),
        {},
        int(usable[column].isna().sum()),
    )


def _tfidf(usable: pd.DataFrame, left_out: dict[str, int]) -> Similarity:
    counted = tfidf_vectors([str(text) for text in usable["response"]])

    def of(at: IntArray) -> FloatArray:
        rows = counted[at]
        found = np.clip(np.asarray((rows @ rows.T).todense(), dtype=np.float64), 0.0, 1.0)
        np.fill_diagonal(found, 1.0)
        return found

    return Similarity("tf-idf", usable, of, left_out)


def _classified(usable: pd.DataFrame, left_out: dict[str, int]) -> Similarity:
    """The shipped classifier, from the similarities that it reads."""
    parts = {name: _by_name(usable, name, left_out) for name in pair_classifier.INPUTS}

    def of(at: IntArray) -> FloatArray:
        found = pair_classifier.probability({name: part.of(at) for name, part in parts.items()})
        np.fill_diagonal(found, 1.0)
        return found

    return Similarity("classifier", usable, of, left_out)


def _by_name(usable: pd.DataFrame, name: Method, left_out: dict[str, int]) -> Similarity:
    if name == "tf-idf":
        return _tfidf(usable, left_out)
    return _of_texts(usable, name, left_out, None)


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
