"""Sentence embeddings by the real model: meaning, the store, and texts longer than it reads."""

import numpy as np
import pytest

from core.embeddings import MODEL, Embedder, carried_folder
from core.engine.cache import RewardCache
from core.errors import ModelLoadError


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return RewardCache(tmp_path_factory.mktemp("store") / "embeddings.sqlite", 2**26)


@pytest.fixture(scope="module")
def embedder(store):
    folder = carried_folder()
    if folder is None:
        pytest.skip("the embedding model's package is not installed")
    return Embedder(str(folder), MODEL, store)


def test_near_meanings_are_near_and_vectors_have_length_one(embedder):
    texts = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Rates rose again."]
    found = embedder.embed(texts)
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-4)
    cosines = found.vectors @ found.vectors.T
    assert cosines[0, 1] > cosines[0, 2] + 0.3
    assert not found.truncated.any()


def test_what_was_read_once_comes_from_the_store_without_the_model(embedder, store):
    texts = ["Read me once.", "Read me once.", "And me."]
    first = embedder.embed(texts)
    unloadable = Embedder("/nowhere", MODEL, store)
    again = unloadable.embed(texts)
    assert (again.vectors == first.vectors).all()
    assert (again.vectors[0] == again.vectors[1]).all()


def test_progress_counts_new_texts_only_and_order_is_kept(embedder):
    told = []
    texts = [f"Sentence number {i} about {'water ' * (i % 5)}." for i in range(40)]
    found = embedder.embed(texts, progress=lambda done, of: told.append((done, of)))
    assert told == [(32, 40), (40, 40)]
    alone = embedder.embed([texts[17]])
    assert alone.vectors[0] == pytest.approx(found.vectors[17])


def test_an_embedding_does_not_depend_on_its_batch(embedder):
    bare = Embedder(str(carried_folder()), MODEL, None)
    texts = ["Short.", "A much longer sentence " * 12]
    together, alone = bare.embed(texts), bare.embed(texts[:1])
    assert together.vectors[0] == pytest.approx(alone.vectors[0], abs=1e-5)


def test_texts_longer_than_the_model_reads_are_marked(embedder):
    found = embedder.embed(["word " * 400, "word", ""])
    assert found.truncated.tolist() == [True, False, False]
    assert np.isfinite(found.vectors).all()


def test_no_texts_and_no_model():
    assert len(Embedder("/nowhere", "none").embed([]).vectors) == 0
    with pytest.raises(ModelLoadError, match="cannot be loaded"):
        Embedder("/nowhere", "none").embed(["a text"])
