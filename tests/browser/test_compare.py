"""Two checkpoints compared: lasso where they disagree, read a pair, open it in the playground."""

import re

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.slow]

N_PAIRS = 24
LOADED_MS = 90_000
SCORED_MS = 180_000
DRAWN_MS = 30_000

# The quadrant where only one of the two models is right: its box on the screen, a little inside of
# the axes, and the ids of the pairs that are drawn in it.
QUADRANT = """(chart, upper) => {
  const {xaxis, yaxis} = chart._fullLayout;
  const frame = chart.getBoundingClientRect();
  const left = frame.x + xaxis._offset, top = frame.y + yaxis._offset;
  const across = left + xaxis.d2p(0), down = top + yaxis.d2p(0);
  const box = {
    x0: 3 + (upper ? left : across), x1: (upper ? across : left + xaxis._length) - 3,
    y0: 3 + (upper ? top : down), y1: (upper ? down : top + yaxis._length) - 3,
  };
  const ids = [];
  for (const [place, trace] of chart.data.entries()) {
    const {x, y} = chart._fullData[place];
    for (let i = 0; i < trace.customdata.length; i++) {
      const right = left + xaxis.d2p(x[i]), height = top + yaxis.d2p(y[i]);
      const inside = right > box.x0 && right < box.x1 && height > box.y0 && height < box.y1;
      if (inside) ids.push(trace.customdata[i][1]);
    }
  }
  return {...box, ids};
}"""


def scatter(page):
    chart = page.locator(".js-plotly-plot").first
    expect(chart.locator(".nsewdrag")).to_be_visible(timeout=DRAWN_MS)
    return chart


def lasso(page, box) -> None:
    """Draws a lasso along the box's edge with the mouse."""
    x0, x1, y0, y1 = (box[end] for end in ("x0", "x1", "y0", "y1"))
    page.mouse.move(x0, y0)
    page.mouse.down()
    for x, y in ((x1, y0), (x1, y1), (x0, y1), (x0, y0 + 4)):
        page.mouse.move(x, y, steps=12)
    page.mouse.up()


def checkpoints(page) -> None:
    """Chooses the checkpoints of a shipped run and keeps its first and last."""
    page.get_by_test_id("stMenuButton").get_by_role("button").click()
    page.get_by_role("menuitem").first.click()
    chosen = page.get_by_role("button", name=re.compile("^Remove pocket"))
    expect(chosen.nth(2)).to_be_visible(timeout=DRAWN_MS)
    for _ in range(8):  # a click that finds the list open only closes it
        if chosen.count() == 2:
            return
        chosen.nth(1).click()
        page.wait_for_timeout(1_500)
    raise AssertionError("the checkpoints between the first and the last stay chosen")


def test_lasso_a_disagreement_and_open_it_in_the_playground(page):
    page.set_viewport_size({"width": 1440, "height": 1100})
    page.get_by_role("link", name="Compare").click(timeout=LOADED_MS)
    how_many = page.get_by_role("spinbutton", name="How many pairs")
    expect(how_many).to_be_visible(timeout=LOADED_MS)
    checkpoints(page)
    how_many.fill(str(N_PAIRS))
    how_many.press("Enter")
    run = page.get_by_role("button", name=re.compile(rf"Run: score {2 * N_PAIRS} "))
    expect(run).to_be_visible(timeout=LOADED_MS)
    run.click()
    told = page.get_by_text("prefers the chosen response most often")
    expect(told).to_be_visible(timeout=SCORED_MS)

    page.get_by_role("tab", name=re.compile("Head to head")).click()
    chart = scatter(page)
    expect(page.get_by_text(f"{N_PAIRS} of {N_PAIRS} pairs, furthest apart")).to_be_visible(
        timeout=DRAWN_MS
    )
    chart.scroll_into_view_if_needed()
    boxes = [chart.evaluate(QUADRANT, upper) for upper in (True, False)]
    box = max(boxes, key=lambda each: len(each["ids"]))
    n_apart = len(box["ids"])
    assert n_apart, "the two checkpoints agree on every pair"
    lasso(page, box)
    counted = page.get_by_text(f"{n_apart} of {N_PAIRS} pairs: those in the selection")
    expect(counted).to_be_visible(timeout=DRAWN_MS)

    # A click into the first row of the table opens the pair below it.
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    frame = table.bounding_box()
    page.mouse.click(frame["x"] + frame["width"] - 60, frame["y"] + 36 + 17)
    pair = page.get_by_text(re.compile("^Pair "))
    expect(pair).to_be_visible(timeout=DRAWN_MS)
    assert pair.inner_text().removeprefix("Pair ") in box["ids"]
    texts = page.locator("div[style*='pre-wrap']").all_inner_texts()
    page.get_by_role("button", name="Open in the playground").click()

    response = page.get_by_label("Response", exact=True)
    expect(response).to_be_visible(timeout=DRAWN_MS)
    assert response.input_value() in texts
    expect(page.get_by_test_id("stMetric")).to_have_count(2, timeout=DRAWN_MS)
    for card in (0, 1):
        number = page.get_by_test_id("stMetricValue").nth(card)
        expect(number).to_have_text(re.compile(r"^-?\d+\.\d{3}$"), timeout=DRAWN_MS)
    deltas = [page.get_by_test_id("stMetricDelta").nth(card).inner_text() for card in (0, 1)]
    # The chosen response is the baseline: the checkpoint that is right gives the rejected one less.
    signs = {re.search(r"[+-]\d", delta).group()[0] for delta in deltas}
    assert signs == {"+", "-"}

    page.go_back()
    expect(page.get_by_text(re.compile("They disagree on"))).to_be_visible(timeout=LOADED_MS)
    assert page.get_by_test_id("stException").count() == 0
