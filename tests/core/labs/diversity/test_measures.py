"""Diversity of a group against eigenvalues, enumeration and counts by hand."""

from itertools import combinations

import numpy as np
import pytest

from core.labs.diversity.measures import (
    distinct_at_k,
    distinct_n,
    mean_distance,
    unique_ngram_share,
    vendi_score,
)


def test_vendi_counts_equal_kinds():
    assert vendi_score(np.ones((4, 4))) == pytest.approx(1)
    assert vendi_score(np.eye(5)) == pytest.approx(5)
    blocks = np.kron(np.eye(2), np.ones((3, 3)))
    assert vendi_score(blocks) == pytest.approx(2)


def test_vendi_of_two_is_the_entropy_of_one_plus_minus_the_similarity():
    for s in (0.1, 0.5, 0.9):
        p = np.array([(1 + s) / 2, (1 - s) / 2])
        found = vendi_score([[1, s], [s, 1]])
        assert found == pytest.approx(np.exp(-(p * np.log(p)).sum()))


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, np.inf])
def test_vendi_of_classes_is_the_hill_number_of_their_sizes(order):
    sizes = [4, 2, 1]
    kernel = np.zeros((7, 7))
    start = 0
    for size in sizes:
        kernel[start : start + size, start : start + size] = 1
        start += size
    p = np.array(sizes) / 7
    if order == 1:
        expected = np.exp(-(p * np.log(p)).sum())
    elif np.isinf(order):
        expected = 1 / p.max()
    else:
        expected = (p**order).sum() ** (1 / (1 - order))
    assert vendi_score(kernel, order=order) == pytest.approx(expected)


def test_vendi_against_an_independent_eigenvalue_computation():
    rng = np.random.default_rng(0)
    for n in (2, 3, 8):
        vectors = rng.normal(size=(n, 3))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        # Singular values squared of the vectors are the eigenvalues of their cosines.
        shares = np.linalg.svd(vectors, compute_uv=False) ** 2 / n
        shares = shares[shares > 1e-12]
        expected = np.exp(-(shares * np.log(shares)).sum())
        assert vendi_score(vectors @ vectors.T) == pytest.approx(expected)


def test_vendi_of_nothing_and_of_no_similarity():
    assert np.isnan(vendi_score(np.zeros((0, 0))))
    with pytest.raises(ValueError, match="symmetric"):
        vendi_score([[1, 0.5], [0.1, 1]])
    with pytest.raises(ValueError, match="diagonal"):
        vendi_score([[0.5, 0], [0, 0.5]])
    with pytest.raises(ValueError, match="order"):
        vendi_score(np.eye(2), order=0)


def test_mean_distance_goes_over_pairs():
    kernel = np.array([[1, 0.5, 0.0], [0.5, 1, 0.25], [0.0, 0.25, 1]])
    assert mean_distance(kernel) == pytest.approx((0.5 + 1 + 0.75) / 3)
    assert np.isnan(mean_distance([[1.0]]))


def test_distinct_n_counts_runs_of_words_over_all_responses():
    assert distinct_n(["a b c", "a b d"], 2) == pytest.approx(3 / 4)
    assert distinct_n(["a a a"], 1) == pytest.approx(1 / 3)
    assert np.isnan(distinct_n(["", "!"], 1))


def test_runs_of_words_that_no_other_response_has():
    shares = unique_ngram_share(["a b c d e", "a b c d f", ""], 4)
    assert shares[:2].tolist() == pytest.approx([0.5, 0.5])
    assert np.isnan(shares[2])


def test_distinct_at_k_is_the_mean_over_all_draws():
    classes = ["A", "A", "B", "C", "A"]
    for k in range(1, 6):
        drawn = [len(set(part)) for part in combinations(classes, k)]
        assert distinct_at_k(classes, k) == pytest.approx(np.mean(drawn))
    assert np.isnan(distinct_at_k(classes, 6))
