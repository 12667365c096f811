"""What the diversity figures draw, against the numbers they are given."""

import numpy as np
import pandas as pd
import pytest

from core.figures import diversity as figures
from core.labs.diversity import frontier, groups
from core.labs.diversity.classes import alike, partition, sensitivity
from core.labs.diversity.semantic_map import (
    cluster_names,
    cluster_rewards,
    clusters,
    map_table,
    within,
)
from core.labs.diversity.similarity import prepare
from core.labs.diversity.tables import recorded_calibration, to_tables
from core.report.kinds.diversity import diversity_sections

TEXTS = ["a red fox", "a red fox", "the blue sea", "a grey <b>sea</b>"]


def rollouts():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "run": [f"t{level}" for level in (0, 1) for _ in range(12)],
            "temperature": [float(level) for level in (0, 1) for _ in range(12)],
            "step": 0,
            "problem_id": [f"p{i // 4 % 3}" for i in range(24)],
            "prompt": "Tell me.",
            "sample": [i % 4 for i in range(24)],
            "response": TEXTS * 6,
            "answer": ["A", "A", "B", "C"] * 6,
            "correct": pd.array([True, False] * 12, dtype="boolean"),
            "reward": rng.normal(size=24),
        }
    )


def points():
    vectors = np.eye(4)[[0, 0, 1, 2] * 6]
    labels = clusters(vectors, 3)
    table = rollouts()
    names = cluster_names(table["response"].tolist(), labels)
    return map_table(table, np.arange(48).reshape(24, 2), labels, names)


def test_clusters_are_the_kinds_of_vectors_and_named_by_their_words():
    labels = clusters(np.eye(4)[[0, 0, 1, 2]], 3)
    assert labels.tolist()[:2] == [0, 0]
    assert len(set(labels.tolist())) == 3
    names = cluster_names(TEXTS, labels)
    assert "fox" in names[0]
    assert clusters(np.ones((3, 2)), 5).tolist() == [0, 0, 0]


def test_every_point_of_the_map_keeps_its_row_whatever_its_colour():
    table = points()
    for colour in ("reward", "cluster", "correct", "temperature"):
        figure = figures.semantic_map(table, colour)
        rows = np.concatenate([np.atleast_1d(t.customdata) for t in figure.data])
        assert sorted(rows.tolist()) == list(range(24))
        for trace in figure.data:
            assert trace.x == pytest.approx(table["x"].to_numpy()[list(trace.customdata)])
    assert {t.name for t in figures.semantic_map(table, "correct").data} == {"right", "wrong"}


def test_hovering_shows_a_points_own_text_as_it_is_written(monkeypatch):
    table, texts = points(), [f"<i>{row}</i> said" for row in range(24)]
    for colour in ("reward", "cluster"):
        for trace in figures.semantic_map(table, colour, texts=texts).data:
            for row, text in zip(trace.customdata, trace.text, strict=True):
                assert text == f"&lt;i&gt;{row}&lt;/i&gt; said"
    monkeypatch.setattr(figures, "MOST_TEXTS", 10)
    assert set(figures.semantic_map(table, "reward", texts=texts).data[0].text) == {""}


def test_the_map_shows_density_where_points_would_hide_each_other(monkeypatch):
    monkeypatch.setattr(figures, "DENSE", 10)
    figure = figures.semantic_map(points(), "reward")
    density, dots = figure.data
    assert density.type == "heatmap"
    assert np.nansum(density.z) == 24
    # A lasso needs something to catch: each dot still stands for its row.
    assert sorted(dots.customdata) == list(range(24))
    assert figure.layout.dragmode == "lasso"


def test_a_lasso_holds_what_lies_within_its_line():
    square = [[0, 0], [2, 0], [2, 2], [0, 2]]
    inside = within([[1, 1], [3, 1], [1, -1], [0.1, 1.9], [1, 2.5]], square)
    assert inside.tolist() == [True, False, False, True, False]
    # A notch is outside, though it lies between corners.
    notched = [[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]
    assert within([[2, 3], [0.5, 2], [3.5, 2], [2, 0.5]], notched).tolist() == [
        False, True, True, True
    ]  # fmt: skip
    assert not within([[1, 1]], []).any()
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(500, 2))
    turns = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = np.column_stack([np.cos(turns), np.sin(turns)])
    assert (within(cloud, circle) == (np.linalg.norm(cloud, axis=1) < 1)).mean() > 0.995


def test_cluster_rewards_are_the_means_of_their_points():
    table = points()
    found = cluster_rewards(table).set_index("cluster")
    for name, rows in table.groupby("cluster"):
        assert found.loc[name, "mean_reward"] == pytest.approx(rows["reward"].mean())
        assert found.loc[name, "n"] == len(rows)


def test_the_graph_joins_what_is_alike_and_shows_texts_as_they_are():
    kernel = np.array([[1, 0.9, 0.1], [0.9, 1, 0.1], [0.1, 0.1, 1]])
    figure = figures.similarity_graph(
        kernel, alike(kernel, 0.5), partition(kernel, 0.5), ["x", "y", "<b>z</b>"], [1, 2, 3]
    )
    lines, *classes = figure.data
    assert len(lines.x) == 3  # one line: two ends and a gap
    assert [len(trace.x) for trace in classes] == [2, 1]
    assert "&lt;b&gt;" in classes[1].customdata[0][2]
    assert len({(x, y) for trace in classes for x, y in zip(trace.x, trace.y, strict=True)}) == 3


def test_scaling_gives_back_distances_of_points_on_a_plane():
    rng = np.random.default_rng(0)
    place = rng.normal(size=(6, 2))
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)
    found = figures.classical_scaling(distance)
    again = np.linalg.norm(found[:, None] - found[None], axis=2)
    assert again == pytest.approx(distance)
    assert figures.classical_scaling(np.zeros((1, 1))).tolist() == [[0, 0]]


def test_places_that_coincide_are_moved_apart():
    apart = figures.spread_apart(np.zeros((4, 2)))
    assert len({tuple(row) for row in apart.tolist()}) == 4


def test_class_counts_draw_both_rules_and_the_threshold():
    kernel = np.array([[1, 0.8, 0.2], [0.8, 1, 0.8], [0.2, 0.8, 1]])
    steps = [0.1, 0.5, 0.9]
    figure = figures.class_counts(steps, sensitivity(kernel, steps), threshold=0.5)
    drawn = {trace.name: list(trace.y) for trace in figure.data}
    assert drawn == {"transitive": [1, 1, 3], "greedy": [1, 2, 3]}
    assert figure.layout.shapes[0].x0 == 0.5


def test_reward_and_frontier_figures_hold_the_results_numbers():
    similarity = prepare(rollouts(), "exact")
    found = groups.run(similarity)
    drawn = figures.quality_and_diversity(found.responses)
    assert list(drawn.data[-1].x) == found.responses["quality"].tolist()
    lines = figures.rank_changes(found.responses.head(4))
    assert [tuple(t.y) for t in lines.data] == list(
        found.responses.head(4)[["quality_rank", "rank"]].itertuples(index=False, name=None)
    )
    trade = frontier.run(similarity, "temperature", threshold=0.5)
    points_drawn = figures.frontier(trade.points, "vendi", "Vendi score", "temperature").data[0]
    assert list(points_drawn.x) == [trade.value(level, "vendi").value for level in (0.0, 1.0)]
    assert list(points_drawn.text) == ["0", "1"]
    bars = figures.calibration_bars(recorded_calibration())
    assert max(bars.data[0].x) == recorded_calibration()["auc"].max()


def test_the_report_tells_every_part_again_from_its_tables():
    similarity = prepare(rollouts(), "exact")
    tables = to_tables(
        groups.run(similarity), frontier.run(similarity, "temperature", threshold=0.5), points()
    )
    sections = diversity_sections(tables, {"by": "temperature", "k": 4, "rule": "multiply"})
    assert [s.heading for s in sections] == [
        "DARLING's reward",
        "Quality against diversity",
        "Map of the responses",
        "Which method agrees with people",
    ]
    assert all(section.figures for section in sections)
    negative = (rollouts()["reward"] < 0).any()
    assert negative
    assert any("novelty punished" in note for note in sections[0].notes)
