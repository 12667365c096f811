"""A visitor lassoes a cluster on the map and opens its best response in the playground."""

import re
from itertools import pairwise
from math import cos, pi, sin

import pytest

from core.rollouts.recorded import read_rollouts

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 300_000
SETTLED_MS = 120_000
CORNERS = 16
SELECTED = re.compile(r"([\d,]+) responses selected · mean reward (-?\d+\.\d{3})")

PLACES = """
plot => {
  const x = plot._fullLayout.xaxis, y = plot._fullLayout.yaxis, box = plot.getBoundingClientRect();
  return plot._fullData.flatMap(trace => Array.from(trace.x, (value, i) => ({
    row: Array.isArray(trace.customdata[i]) ? trace.customdata[i][0] : trace.customdata[i],
    name: trace.name,
    x: box.left + x._offset + x.d2p(value),
    y: box.top + y._offset + y.d2p(trace.y[i]),
  })));
}
"""
"""Every point of the map: the row of the table it stands for and where it is on screen."""


def places(plot) -> list[dict]:
    return plot.evaluate(PLACES)


def around(points: list[dict], radius: float) -> list[tuple[float, float]]:
    """The lasso's corners: a ring round the middle of some points."""
    x = sorted(point["x"] for point in points)[len(points) // 2]
    y = sorted(point["y"] for point in points)[len(points) // 2]
    turns = [2 * pi * k / CORNERS for k in range(CORNERS + 1)]
    return [(x + radius * cos(turn), y + radius * sin(turn)) for turn in turns]


def inside(ring: list[tuple[float, float]], point: dict) -> bool:
    """Whether a point lies within a ring, by crossing its edges."""
    crossed = False
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > point["y"]) != (y2 > point["y"]):
            crossed ^= point["x"] < x1 + (point["y"] - y1) / (y2 - y1) * (x2 - x1)
    return crossed


def draw(page, ring: list[tuple[float, float]]) -> None:
    page.mouse.move(*ring[0])
    page.mouse.down()
    for x, y in ring[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


@pytest.mark.timeout(900)
def test_lasso_a_cluster_and_open_it_in_the_playground(page, server):
    expect(page.get_by_text("Edit the conversation")).to_be_visible(timeout=LOADED_MS)
    page.goto(f"{server.address}/diversity")
    page.get_by_role("tab", name="Map").click(timeout=LOADED_MS)
    # Principal components are there at once and stay: UMAP's map would take their place.
    page.get_by_role("radio", name="principal components").click(timeout=LOADED_MS)
    page.get_by_role("radio", name="cluster", exact=True).click(timeout=SETTLED_MS)
    plot = page.locator(".js-plotly-plot").first
    expect(plot.locator(".legend .traces").first).to_be_visible(timeout=SETTLED_MS)
    expect(page.get_by_text("960 responses, laid out by principal components")).to_be_visible(
        timeout=SETTLED_MS
    )
    plot.scroll_into_view_if_needed()
    expect(page.get_by_text("Draw a lasso round some points")).to_be_visible()

    table = read_rollouts("temperatures")
    shown = places(plot)
    assert sorted(point["row"] for point in shown) == list(range(len(table)))
    first = [point for point in shown if point["name"].startswith("1:")]
    ring = around(first, radius=60)
    chosen = [point["row"] for point in shown if inside(ring, point)]
    assert len(chosen) > 5
    draw(page, ring)

    mean = table["reward"].iloc[chosen].mean()
    told = page.get_by_test_id("stMarkdown").filter(has_text=SELECTED)
    expect(told).to_be_visible(timeout=SETTLED_MS)
    n, shown_mean = SELECTED.search(told.inner_text()).groups()
    # A point whose middle is on the line itself may fall to either side.
    assert abs(int(n.replace(",", "")) - len(chosen)) <= 2
    assert abs(float(shown_mean) - mean) < 0.1

    best = table.iloc[chosen].sort_values("reward", ascending=False, kind="stable")["response"]
    page.get_by_role("button", name="Open the best of them in the playground").click()
    response = page.get_by_label("Response", exact=True)
    expect(response).to_be_visible(timeout=LOADED_MS)
    assert response.input_value() in best.head(3).tolist()
    expect(page.get_by_test_id("stRadio").get_by_text("opened from the map")).to_be_visible(
        timeout=SETTLED_MS
    )
    assert page.get_by_test_id("stException").count() == 0
