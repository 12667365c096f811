"""Which responses of one group say the same.

Every method gives an (n, n) similarity; a threshold says which pairs say the same; a linking rule
makes classes of pairs.
"""

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer

from core.labs.groups import FloatArray

Method = Literal[
    "exact", "given", "token-overlap", "jaccard", "n-gram", "tf-idf", "embedding", "classifier"
]
"""How alike two responses are: the same answer (1 or 0), the same class of a classifier that was
run elsewhere (1 or 0; the column `class_id`), shared words by the longer text's length, shared
words by all words, shared runs of four words, cosine of word counts weighted by rarity, cosine of
sentence embeddings, or the probability that a classifier gives to "these say the same": one of
one's own, or the one of `pair_classifier`."""

METHODS: tuple[Method, ...] = get_args(Method)

Linking = Literal["transitive", "greedy"]
"""Transitive: whatever a chain of like pairs connects is one class (union-find, the training rule
of Li et al. 2025). Greedy: a response joins the first class whose first member it is like (their
evaluation rule)."""

LINKINGS: tuple[Linking, ...] = get_args(Linking)

SHORT = 5
"""Texts of at most so many words are compared by their words, whatever the method."""

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

T = TypeVar("T")

_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Classes:
    """One group in classes of responses that say the same.

    Attributes:
        labels: (n,) class of each response, from 0 up in the order of first appearance.
        linking: how pairs became classes.
        chained: classes in which two members are not like each other: a chain holds them.
        lowest: by class, the lowest similarity of two members; 1.0 for a class of one.
    """

    labels: IntArray
    linking: Linking
    chained: tuple[int, ...]
    lowest: tuple[float, ...]

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.lowest)


def has_texts(method: Method) -> bool:
    """Whether a method reads the responses themselves, not answers or classes made of them."""
    return method not in ("exact", "given")


def token_rule(first: str, second: str) -> bool | None:
    """Whether two short texts say the same, by their words; None where one is too long for it.

    Lower-cased and split at white space; the same if twice the number of shared words reaches the
    number of words of the longer text. Li et al. 2025, in their code.
    """
    if len(first.split()) > SHORT or len(second.split()) > SHORT:
        return None
    return 2 * token_overlap(first, second) >= 1


def token_overlap(first: str, second: str) -> float:
    """Distinct words two texts share, by the number of words of the longer; 1 for no words.

    Lower-cased and split at white space. At 0.5 this is `token_rule` without its bound on length.
    """
    one, other = first.lower().split(), second.lower().split()
    longer = max(len(one), len(other))
    return len(set(one) & set(other)) / longer if longer else 1.0


def exact_similarity(answers: Sequence[Hashable]) -> FloatArray:
    """1 where two answers are equal, else 0. Missing answers are equal to each other."""
    codes = _codes([None if _missing(answer) else answer for answer in answers])
    return np.asarray(codes[:, None] == codes[None, :], dtype=np.float64)


def token_overlap_similarity(texts: Sequence[str]) -> FloatArray:
    """`token_overlap` of each two texts; (n, n) with ones on the diagonal."""
    return _pairwise(texts, token_overlap)


def jaccard_similarity(texts: Sequence[str]) -> FloatArray:
    """Shared distinct words over all distinct words of two texts; 1 for two texts without words."""
    return _pairwise([words(text) for text in texts], shared_share)


def ngram_similarity(texts: Sequence[str], n: int = 4) -> FloatArray:
    """Shared runs of `n` words over all runs of two texts; a shorter text is one run of its own."""
    return _pairwise([ngrams(words(text), n) for text in texts], shared_share)


def tfidf_vectors(texts: Sequence[str], corpus: Sequence[str] | None = None) -> csr_array:
    """Word counts, damped and weighted by rarity, of length 1: (n, words).

    Args:
        texts: what is to be compared.
        corpus: where rarity is counted; the texts themselves by default. A group that says one
            thing eight times makes its own subject look common, so give all texts at hand.
    """
    return tfidf_vectors_and_words(texts, corpus)[0]


def tfidf_vectors_and_words(
    texts: Sequence[str], corpus: Sequence[str] | None = None
) -> tuple[csr_array, list[str]]:
    """As `tfidf_vectors`, with the word of each column."""
    vectorizer = TfidfVectorizer(
        lowercase=True, token_pattern=_WORDS.pattern, sublinear_tf=True, dtype=np.float64
    )
    basis = [*(texts if corpus is None else corpus)]
    if not any(_WORDS.search(text) for text in basis):
        return csr_array((len(texts), 1), dtype=np.float64), [""]
    vectorizer.fit(basis)
    return csr_array(vectorizer.transform(list(texts))), list(vectorizer.get_feature_names_out())


def tfidf_similarity(texts: Sequence[str], corpus: Sequence[str] | None = None) -> FloatArray:
    """Cosine of the TF-IDF vectors of texts; see `tfidf_vectors`."""
    vectors = tfidf_vectors(texts, corpus)
    similarity = np.asarray((vectors @ vectors.T).todense(), dtype=np.float64)
    return _with_ones(np.clip(similarity, 0.0, 1.0))


def cosine_similarity(embeddings: npt.ArrayLike) -> FloatArray:
    """Cosine of each two rows of (n, d) embeddings; rows of length 0 are like nothing but self.

    Raises:
        ValueError: when an embedding is not finite.
    """
    vectors = np.asarray(embeddings, dtype=np.float64)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError("Embeddings must be a table of finite numbers, one row a response.")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return _with_ones(np.clip(unit @ unit.T, -1.0, 1.0))


def classifier_similarity(
    texts: Sequence[str], probability: Callable[[str, str], float]
) -> FloatArray:
    """What a classifier of one's own says of each two texts, the mean of both orders.

    Args:
        texts: of one group.
        probability: takes two texts, gives the probability that they say the same.

    Raises:
        ValueError: when a probability is outside 0 to 1.
    """
    n = len(texts)
    found = np.eye(n)
    for i in range(n):
        for j in range(i):
            both = (probability(texts[i], texts[j]), probability(texts[j], texts[i]))
            if not all(0.0 <= p <= 1.0 for p in both):
                raise ValueError("A probability of the classifier is outside 0 to 1.")
            found[i, j] = found[j, i] = sum(both) / 2
    return found


def alike(
    similarity: npt.ArrayLike, threshold: float, short_texts: Sequence[str] | None = None
) -> BoolArray:
    """(n, n) which two responses count as saying the same: similarity at or above the threshold.

    Args:
        similarity: (n, n) symmetric.
        threshold: at or above it two responses say the same.
        short_texts: the texts; those of at most five words are then judged by `token_rule`.

    Raises:
        ValueError: when the similarity is not a square table of finite numbers.
    """
    values = np.asarray(similarity, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not np.isfinite(values).all():
        raise ValueError("The similarity must be a square table of finite numbers.")
    same = values >= threshold
    for i, first in enumerate(short_texts or ()):
        for j, second in enumerate((short_texts or ())[:i]):
            verdict = token_rule(first, second)
            if verdict is not None:
                same[i, j] = same[j, i] = verdict
    np.fill_diagonal(same, True)
    return same


def partition(
    similarity: npt.ArrayLike,
    threshold: float,
    linking: Linking = "transitive",
    *,
    short_texts: Sequence[str] | None = None,
) -> Classes:
    """The classes of one group.

    Args:
        similarity: (n, n) symmetric.
        threshold: at or above it two responses say the same.
        linking: how pairs become classes.
        short_texts: see `alike`.
    """
    values = np.asarray(similarity, dtype=np.float64)
    same = alike(values, threshold, short_texts)
    labels = _transitive(same) if linking == "transitive" else _greedy(same)
    members = [np.flatnonzero(labels == k) for k in range(int(labels.max(initial=-1)) + 1)]
    chained = [k for k, at in enumerate(members) if not same[np.ix_(at, at)].all()]
    lowest = [_lowest(values[np.ix_(at, at)]) for at in members]
    return Classes(labels, linking, tuple(chained), tuple(lowest))


def sensitivity(
    similarity: npt.ArrayLike,
    thresholds: Sequence[float],
    *,
    short_texts: Sequence[str] | None = None,
) -> dict[Linking, IntArray]:
    """How many classes each threshold gives, by linking rule: where a chain merges everything."""
    return {
        linking: np.array(
            [
                partition(similarity, each, linking, short_texts=short_texts).n_classes
                for each in thresholds
            ],
            dtype=np.int64,
        )
        for linking in LINKINGS
    }


def shared_share(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Distinct things both have, by the distinct things either has; 1 where neither has any."""
    one, other = set(first), set(second)
    return len(one & other) / len(one | other) if one | other else 1.0


def words(text: str) -> list[str]:
    """Lower-case words of a text, without punctuation."""
    return _WORDS.findall(text.lower())


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Runs of `n` words; a text with fewer words is one run, a text without words none."""
    if not tokens:
        return []
    if len(tokens) < n:
        return [tuple(tokens)]
    return [tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1)]


def _transitive(same: BoolArray) -> IntArray:
    if not len(same):
        return np.zeros(0, dtype=np.int64)
    _, labels = connected_components(csr_matrix(same.astype(np.int8)), directed=False)
    return _codes(labels.tolist())


def _greedy(same: BoolArray) -> IntArray:
    firsts: list[int] = []
    labels = np.zeros(len(same), dtype=np.int64)
    for at in range(len(same)):
        found = next((k for k, first in enumerate(firsts) if same[at, first]), None)
        if found is None:
            found = len(firsts)
            firsts.append(at)
        labels[at] = found
    return labels


def _pairwise(items: Sequence[T], compare: Callable[[T, T], float]) -> FloatArray:
    found = np.eye(len(items))
    for i, first in enumerate(items):
        for j in range(i):
            found[i, j] = found[j, i] = compare(first, items[j])
    return found


def _with_ones(similarity: FloatArray) -> FloatArray:
    np.fill_diagonal(similarity, 1.0)
    return similarity


def _lowest(within: FloatArray) -> float:
    off = within[~np.eye(len(within), dtype=bool)]
    return float(off.min()) if off.size else 1.0


def _codes(values: Sequence[Hashable]) -> IntArray:
    number_of: dict[Hashable, int] = {}
    return np.array([number_of.setdefault(v, len(number_of)) for v in values], dtype=np.int64)


def _missing(value: object) -> bool:
    return value is None or value != value or str(value) == "<NA>"
