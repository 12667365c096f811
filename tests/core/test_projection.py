"""Maps: near texts stay near, new texts land where they belong, the map does not move."""

import numpy as np
import pytest

from core.projection import FEWEST, SAMPLE, Projection, _sample, fit_projection


def blobs(n, k=3, width=32, seed=0):
    rng = np.random.default_rng(seed)
    centres = 4 * rng.normal(size=(k, width))
    labels = np.arange(n) % k
    points = centres[labels] + 0.3 * rng.normal(size=(n, width))
    return points.astype(np.float32), labels


def nearest_label(plane, labels, points):
    """The label of the nearest of the map's points, for each point."""
    distances = np.linalg.norm(points[:, None] - plane[None], axis=2)
    return labels[distances.argmin(axis=1)]


def test_few_texts_are_laid_out_by_principal_components_and_the_reason_is_told():
    vectors, _ = blobs(FEWEST - 1)
    found = fit_projection(vectors)
    assert found.method == "pca"
    assert "too few" in found.reason
    centred = vectors - vectors.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)[:2]
    assert np.linalg.norm(found.coordinates, axis=0) == pytest.approx(values, rel=1e-4)


def test_principal_components_place_what_they_were_fitted_on_where_it_was():
    vectors, _ = blobs(30)
    found = fit_projection(vectors, method="pca")
    assert found.transform(vectors) == pytest.approx(found.coordinates, abs=1e-4)
    assert found.transform(np.zeros((0, 32))).shape == (0, 2)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_texts_have_a_place_too(n):
    found = fit_projection(np.ones((n, 4), dtype=np.float32))
    assert found.coordinates.shape == (n, 2)
    assert found.transform(np.ones((2, 4))).shape == (2, 2)
    assert np.isfinite(found.coordinates).all()


def test_at_most_so_many_are_fitted_and_always_the_same():
    assert _sample(100, 0).all()
    chosen = _sample(3 * SAMPLE, 1)
    assert chosen.sum() == SAMPLE
    assert (chosen == _sample(3 * SAMPLE, 1)).all()


@pytest.fixture(scope="module")
def umap_of_blobs() -> tuple[Projection, np.ndarray]:
    pytest.importorskip("umap")
    vectors, labels = blobs(90)
    return fit_projection(vectors, method="umap", seed=3), labels


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_umap_keeps_kinds_together_and_places_new_texts_among_their_own(umap_of_blobs):
    found, labels = umap_of_blobs
    fresh, kinds = blobs(30, seed=0)
    before = found.coordinates.copy()
    placed = found.transform(fresh + 0.01)
    assert (nearest_label(found.coordinates, labels, placed) == kinds).mean() > 0.95
    assert (found.coordinates == before).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_umap_gives_the_same_map_for_the_same_seed(umap_of_blobs):
    found, _ = umap_of_blobs
    again = fit_projection(blobs(90)[0], method="umap", seed=3)
    assert again.coordinates == pytest.approx(found.coordinates)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_umap_is_left_aside_when_it_would_take_too_long(umap_of_blobs):
    found = fit_projection(blobs(60)[0], most_seconds=0.0)
    assert found.method == "pca"
    assert "UMAP would take about" in found.reason
