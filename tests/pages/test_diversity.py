"""The diversity page on recorded runs and on a file whose numbers are worked out by hand."""

import base64
import json
import time

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common.diversity.setup import NAME
from core.embeddings import carried_folder
from core.labs.diversity import frontier, groups
from core.labs.diversity.calibrated import DEFAULT, RECORDED, calibrated_threshold
from core.labs.diversity.similarity import prepare
from core.rollouts.recorded import read_rollouts
from tests.pages.conftest import ROOT, TIMEOUT_S, until

PAGE = "app_pages/labs/diversity.py"
FRONTIER, MAP, CLASSES, REWARD, CALIBRATION = (
    ":material/moving: Frontier",
    ":material/scatter_plot: Map",
    ":material/hub: Classes",
    ":material/percent: DARLING reward",
    ":material/rule: Calibration",
)
WAIT_S = 400


@pytest.fixture
def lab(service) -> AppTest:
    """The page as a visitor finds it."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.run()
    return settled(test.switch_page(PAGE).run())


def settled(test: AppTest) -> AppTest:
    return until(test, lambda: not any("hourglass" in c.value for c in test.caption))


def opened(test: AppTest, tab: str) -> AppTest:
    test.session_state[f"{NAME}-tab"] = tab
    return settled(test.run())


def charts(test: AppTest) -> dict[str, dict]:
    return {
        chart.proto.id.split(f"{NAME}-")[-1]: json.loads(chart.proto.spec)
        for chart in test.get("plotly_chart")
    }


def chart(test: AppTest, name: str) -> dict:
    return next(spec for key, spec in charts(test).items() if key.startswith(name))


def values(encoded) -> list[float]:
    if isinstance(encoded, dict):
        raw = base64.b64decode(encoded["bdata"])
        return np.frombuffer(raw, dtype=encoded["dtype"]).astype(float).tolist()
    return [float(each) for each in encoded]


def texts(test: AppTest) -> str:
    return "\n".join([*(t.value for t in test.text), *(c.value for c in test.caption)])


def temperatures() -> pd.DataFrame:
    table = read_rollouts("temperatures")
    return table.assign(method=[run.partition("/")[0] for run in table["run"]])


def test_the_first_screen_asks_the_question_and_shows_the_recorded_frontier(lab):
    assert "Can paying for diversity improve quality?" in "\n".join(m.value for m in lab.markdown)
    expected = frontier.run(
        prepare(temperatures(), DEFAULT),
        "temperature",
        threshold=round(calibrated_threshold(DEFAULT), 3),
    )
    trace = chart(lab, "frontier")["data"][0]
    points = expected.points.set_index(["measure", "level"])["value"]
    assert values(trace["y"]) == pytest.approx(points["quality"].tolist())
    assert values(trace["x"]) == pytest.approx(points["distinct_at_k"].tolist())
    # Mean reward of the coldest and hottest samples, straight from the table.
    means = temperatures().groupby("temperature")["reward"].mean()
    assert values(trace["y"]) == pytest.approx(means.tolist())
    assert "24 problems" in texts(lab)
    assert not lab.exception
    assert not lab.error


def test_a_looser_threshold_leaves_fewer_classes(lab):
    strict = values(chart(lab, "frontier")["data"][0]["x"])
    lab.slider(key=f"{NAME}-threshold-{DEFAULT}").set_value(0.05)
    settled(lab.run())
    loose = values(chart(lab, "frontier")["data"][0]["x"])
    assert all(one < other for one, other in zip(loose, strict, strict=True))


def test_reward_tab_shows_the_labs_numbers_and_the_traps_the_data_trigger(lab):
    opened(lab, REWARD)
    options = groups.Options(threshold=round(calibrated_threshold(DEFAULT), 3))
    expected = groups.run(prepare(temperatures(), DEFAULT), options)
    shown = {metric.label: metric.value for metric in lab.metric}
    turned = expected.estimates["pairs whose order turns round"].value
    assert shown["Order turned round"] == f"{turned:.0%}"
    assert shown["Classes in a group"] == f"{expected.estimates['classes in a group'].value:.2f}"
    warned = "\n".join(warning.value for warning in lab.warning)
    # The recorded rewards are partly negative: multiplying them punishes novelty.
    assert expected.traps["novelty punished"] > 0
    assert f"Novelty punished: {expected.traps['novelty punished']} of 120 groups" in warned
    lab.toggle(key=f"{NAME}-shift").set_value(True)
    settled(lab.run())
    assert "Novelty punished" not in "\n".join(warning.value for warning in lab.warning)
    assert not lab.exception


def test_classes_tab_draws_one_group(lab):
    opened(lab, CLASSES)
    shown = {metric.label: metric.value for metric in lab.metric}
    # A list shows its options as they are: nothing may be escaped for Markdown.
    offered = {box.label: box.options for box in lab.selectbox}
    assert offered["Run"][0] == "temperature-0.2"
    assert not any("\\" in option for option in offered["Problem"])
    table = temperatures()
    similarity = prepare(table, DEFAULT)
    result = groups.run(
        similarity, groups.Options(threshold=round(calibrated_threshold(DEFAULT), 3))
    )
    first = result.groups.iloc[0]
    assert shown["Classes"] == f"{first['n_classes']} of 8"
    assert shown["Vendi score"] == f"{first['vendi']:.2f}"
    drawn = [t for t in chart(lab, "graph")["data"] if "text" in t["mode"]]
    assert len(drawn) == first["n_classes"]
    assert not lab.exception


def test_calibration_tab_names_the_default_and_its_interval(lab):
    opened(lab, CALIBRATION)
    best = RECORDED[0]
    told = "\n".join(m.value for m in lab.markdown)
    assert f"{best.auc:.0%} ({best.low:.0%} to {best.high:.0%})" in told
    drawn = chart(lab, "auc")["data"][0]
    assert values(drawn["x"]) == [each.auc for each in reversed(RECORDED)]


def test_what_was_shown_can_be_taken_along_and_its_python_runs(lab):
    opened(lab, REWARD)
    code = lab.code[-1].value
    scope: dict[str, object] = {}
    exec(compile(code, "shown", "exec"), scope)
    shown = {metric.label: metric.value for metric in lab.metric}
    again = scope["result"].estimates["classes in a group"].value
    assert shown["Classes in a group"] == f"{again:.2f}"
    assert any(button.key == f"{NAME}-save" for button in lab.button)


def test_answers_are_compared_where_there_are_no_texts(lab):
    lab.segmented_control(key=next_key(lab, "collection")).set_value("collapse")
    settled(lab.run())
    assert not lab.exception
    assert chart(lab, "frontier")["data"][0]["mode"] == "markers+text"
    opened(lab, MAP)
    assert "answers only" in "\n".join(info.value for info in lab.info)


def uploaded(test: AppTest, content: bytes) -> AppTest:
    test.segmented_control(key=f"{NAME}-rollouts").set_value("My files").run()
    upload = test.file_uploader(key=f"{NAME}-rollout-files")
    upload.set_value([("own.csv", content, "text/csv")])
    return settled(test.run())


OWN = """step,problem_id,prompt,response,reward,class_id
0,a,Tell me.,It is red and round,2,x
0,a,Tell me.,It is a red ball,-1,x
0,a,Tell me.,The sea at night,1,y
0,a,Tell me.,Nothing,,y
0,b,Who?,Ada wrote the first program,1,z
0,b,Who?,Ada did it,1,z
0,c,Alone?,Yes,1,z
"""


def test_classes_of_ones_own_classifier_and_damaged_groups(lab):
    uploaded(lab, OWN.encode())
    opened(lab, REWARD)
    assert not lab.exception
    assert not lab.error
    shown = {metric.label: metric.value for metric in lab.metric}
    # Problem a: x, x, y without the one that has no reward; problem b: z, z; problem c is alone.
    assert shown["Classes in a group"] == "1.50"
    told = texts(lab).replace("\\", "")
    assert "nan" not in told
    assert "no reward (1)" in told
    assert "group of one: no others to differ from (1)" in told
    # Of x with 2 and y with 1, Div 1/2 and 1: the order becomes a tie; -1 stays last.
    assert shown["Order turned round"] == f"{0.5 / 3:.0%}"
    opened(lab, CLASSES)
    assert not lab.exception
    assert next(m.value for m in lab.metric if m.label == "Classes") == "2 of 4"


def test_rollouts_without_any_reward_say_what_is_needed(lab):
    lines = OWN.splitlines()
    bare = [",".join(line.split(",")[:4]) for line in lines]
    uploaded(lab, "\n".join(bare).encode())
    assert not lab.exception
    assert "a reward for each response" in "\n".join(warning.value for warning in lab.warning)


def next_key(test: AppTest, part: str) -> str:
    return next(
        control.key
        for control in test.segmented_control
        if str(control.key).startswith(f"{NAME}-{part}-")
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_map_places_every_text_and_reads_what_is_selected(lab):
    if carried_folder() is None:
        pytest.skip("the embedding model's package is not installed")
    lab.session_state[f"{NAME}-tab"] = MAP
    deadline = time.monotonic() + WAIT_S
    while not lab.run().get("plotly_chart"):
        assert time.monotonic() < deadline, "no map was drawn"
        assert not lab.exception
        time.sleep(0.5)
    spec = chart(lab, "map")
    assert sum(len(values(trace["x"])) for trace in spec["data"]) == 960
    key = next(
        c.proto.id.split("-None-")[-1]
        for c in lab.get("plotly_chart")
        if f"{NAME}-map" in c.proto.id
    )
    chosen = [{"customdata": 3}, {"customdata": 5}]
    key = key[key.index(f"{NAME}-map") :]
    lab.session_state[key] = {"selection": {"points": chosen, "point_indices": [], "lasso": []}}
    lab.run()
    told = "\n".join(m.value for m in lab.markdown)
    mean = temperatures()["reward"].iloc[[3, 5]].mean()
    assert f"2 responses selected** · mean reward {mean:.3f}" in told
    assert any("Open the best" in button.label for button in lab.button)
