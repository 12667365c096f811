"""Visitors of the collapse page in a real browser: a collapsed problem read, a bonus changed."""

import re

import pytest

from core.rollouts.recorded import collection, read_rollouts

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

LOADED_MS = 120_000
SETTLED_MS = 120_000
COLLAPSED_FROM = 0.9
"""The page's own threshold where nobody has moved it."""
PLOT = ".js-plotly-plot"
ROWS = """
(n) => {
  const heat = document.querySelector(".js-plotly-plot")?.data?.find((t) => t.type === "heatmap");
  return heat !== undefined && heat.y.length === n;
}
"""
"""Whether the map has so many problems."""
CELL = """
(plot) => {
  const points = plot.data.find((trace) => trace.customdata && trace.type === "scatter");
  const place = points.customdata.length - 1;
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  const [problem, step] = points.customdata[place];
  return {
    problem, step,
    x: box.left + xaxis._offset + xaxis.d2p(points.x[place]),
    y: box.top + yaxis._offset + yaxis.d2p(points.y[place]),
  };
}
"""
"""The last point of the map: the lowest problem at the last step."""


@pytest.fixture
def lab(page, server):
    """The collapse page with the recorded runs counted."""
    expect(page.get_by_text("Edit the conversation")).to_be_visible(timeout=LOADED_MS)
    page.goto(f"{server.address}/collapse")
    expect(page.get_by_text("Solved and answered so far, at equal samples")).to_be_visible(
        timeout=LOADED_MS
    )
    yield page
    assert page.get_by_test_id("stException").count() == 0


def test_click_a_collapsed_problem_and_read_its_samples(lab):
    lab.get_by_role("tab", name="Problems").click()
    lab.get_by_text("Class in the last window", exact=True).wait_for(timeout=SETTLED_MS)
    lab.get_by_role("combobox", name=re.compile("Class in the last window")).click()
    collapsed = lab.get_by_role("option", name=re.compile("collapsed right"))
    n_collapsed = int(re.search(r"\((\d+)\)", collapsed.text_content()).group(1))
    collapsed.click()
    # The map of all problems stays until that of the chosen class replaces it.
    lab.wait_for_function(ROWS, arg=n_collapsed, timeout=SETTLED_MS)
    chart = lab.locator(PLOT).first
    chart.scroll_into_view_if_needed()
    cell = chart.evaluate(CELL)
    lab.mouse.move(cell["x"], cell["y"])
    lab.mouse.click(cell["x"], cell["y"])

    run = next(run.run for run in collection("collapse").runs if not run.base)
    drawn = read_rollouts("collapse", runs=[run]).query(
        "split == 'train' and problem_id == @cell['problem']"
    )
    late = drawn.loc[drawn["step"] >= drawn["step"].quantile(0.75)]
    assert late["answer"].value_counts(normalize=True).iloc[0] >= COLLAPSED_FROM
    prompt = drawn["prompt"].iloc[0]
    heading = lab.get_by_text(f"{prompt} · {run}, step {cell['step']}")
    expect(heading).to_be_visible(timeout=SETTLED_MS)
    # The heading is drawn before the table below it: this waits until the table says the same.
    answers = lab.get_by_test_id("stDataFrame").first.locator("td[aria-colindex='2']")
    there = drawn.query("step == @cell['step']").sort_values("sample")["answer"].tolist()
    expect(answers).to_have_text(there, timeout=SETTLED_MS)


def test_change_the_bonus_and_see_the_ranking_move(lab):
    lab.get_by_role("tab", name="Bonus explorer").click()
    moved = lab.get_by_test_id("stMetricValue")
    expect(moved).to_be_visible(timeout=SETTLED_MS)
    lab.get_by_role("radio", name="none", exact=True).click()
    expect(moved).to_have_text(re.compile(r"^0 of \d+$"), timeout=SETTLED_MS)

    # A bonus tells samples of one reward apart; plain GRPO cannot.
    lab.get_by_role("radio", name="ucb-con", exact=True).click()
    expect(moved).to_have_text(re.compile(r"^[1-9]\d* of \d+$"), timeout=SETTLED_MS)
    paid = lab.get_by_text(re.compile("c × bonus runs from"))
    at_first = paid.text_content()
    weight = lab.get_by_role("slider", name="c, weight of the bonus")
    weight.focus()
    weight.press("End")
    expect(paid).not_to_have_text(at_first, timeout=SETTLED_MS)
