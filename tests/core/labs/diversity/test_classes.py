"""Similarities and partitions against small cases done by hand and naive implementations."""

import numpy as np
import pytest

from core.labs.diversity.classes import (
    alike,
    classifier_similarity,
    cosine_similarity,
    exact_similarity,
    jaccard_similarity,
    ngram_similarity,
    partition,
    sensitivity,
    tfidf_similarity,
    token_overlap,
    token_rule,
)

CHAIN = np.array([[1.0, 0.8, 0.2], [0.8, 1.0, 0.8], [0.2, 0.8, 1.0]])
"""One is like two and two is like three, but one is not like three."""


def test_the_rule_for_short_texts_on_the_published_cases():
    assert token_rule("the answer 42", "42") is False
    assert token_rule("answer 42", "42") is True
    assert token_rule("Paris", "paris") is True
    assert token_rule("one two three four five six", "one") is None
    assert token_rule("", "") is True


def test_token_overlap_counts_distinct_shared_words_by_the_longer_text():
    assert token_overlap("a b c d", "A b") == pytest.approx(0.5)
    assert token_overlap("a a a", "a") == pytest.approx(1 / 3)


def test_exact_answers_and_missing_ones():
    same = exact_similarity(["7", "8", None, float("nan"), "7"])
    expected = [[1, 0, 0, 0, 1], [0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [1, 0, 0, 0, 1]]
    assert same.tolist() == expected


def test_jaccard_and_ngrams():
    assert jaccard_similarity(["a b c", "b c d", ""])[0].tolist() == [1.0, 0.5, 0.0]
    texts = ["a b c d e", "a b c d f", "x"]
    # Runs of four: {abcd, bcde} and {abcd, bcdf}: one of three shared.
    assert ngram_similarity(texts)[0].tolist() == pytest.approx([1.0, 1 / 3, 0.0])
    assert jaccard_similarity(["", "!?"])[0, 1] == 1.0


def test_tfidf_gives_ones_for_equal_and_zero_for_unrelated_texts():
    same = tfidf_similarity(["red fox", "red fox", "blue sky", "..."])
    assert same[0, 1] == pytest.approx(1)
    assert same[0, 2] == 0
    assert same[0, 3] == 0
    assert np.diag(same).tolist() == [1, 1, 1, 1]
    assert np.diag(tfidf_similarity(["...", "??"])).tolist() == [1, 1]


def test_cosine_does_not_depend_on_length_and_survives_zeros():
    same = cosine_similarity([[3, 0], [5, 0], [0, 1], [0, 0]])
    assert same[0].tolist() == pytest.approx([1, 1, 0, 0])
    assert same[3, 3] == 1
    with pytest.raises(ValueError, match="finite"):
        cosine_similarity([[np.nan, 1.0]])


def test_a_classifier_is_asked_both_ways():
    found = classifier_similarity(["a", "bb"], lambda x, y: 0.2 if len(x) < len(y) else 0.6)
    assert found.tolist() == [[1, 0.4], [0.4, 1]]
    with pytest.raises(ValueError, match="outside 0 to 1"):
        classifier_similarity(["a", "b"], lambda _x, _y: 2.0)


def test_a_chain_is_one_class_by_links_and_two_by_first_members():
    linked = partition(CHAIN, 0.5, "transitive")
    assert linked.labels.tolist() == [0, 0, 0]
    assert linked.chained == (0,)
    assert linked.lowest == (0.2,)
    compared = partition(CHAIN, 0.5, "greedy")
    assert compared.labels.tolist() == [0, 0, 1]
    assert compared.chained == ()


def test_partitions_are_those_of_naive_algorithms():
    rng = np.random.default_rng(0)
    for _ in range(100):
        n = int(rng.integers(1, 9))
        half = np.triu(rng.random((n, n)), 1)
        similarity = half + half.T + np.eye(n)
        threshold = float(rng.random())
        linked = partition(similarity, threshold, "transitive").labels
        reach = similarity >= threshold
        for _step in range(n):
            reach = reach | (reach.astype(int) @ reach.astype(int) > 0)
        assert (linked[:, None] == linked[None, :]).tolist() == reach.tolist()
        firsts, expected = [], []
        for i in range(n):
            hit = [k for k, first in enumerate(firsts) if similarity[i, first] >= threshold]
            expected.append(hit[0] if hit else len(firsts))
            firsts += [] if hit else [i]
        assert partition(similarity, threshold, "greedy").labels.tolist() == expected


def test_more_classes_with_a_stricter_threshold_and_fewest_by_links():
    counts = sensitivity(CHAIN, [0.1, 0.5, 0.9])
    assert counts["transitive"].tolist() == [1, 1, 3]
    assert counts["greedy"].tolist() == [1, 2, 3]


def test_short_texts_are_judged_by_their_words_whatever_the_similarity():
    found = alike(np.eye(3), 0.5, ["answer 42", "42", "a long text of more than five words"])
    assert found.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_no_responses_and_damaged_similarities():
    assert partition(np.zeros((0, 0)), 0.5).n_classes == 0
    with pytest.raises(ValueError, match="square"):
        partition(np.ones((2, 3)), 0.5)
    with pytest.raises(ValueError, match="finite"):
        partition(np.full((2, 2), np.nan), 0.5)
