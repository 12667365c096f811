"""The report of a comparison: from the saved rewards alone, the numbers of the page."""

import numpy as np
import pandas as pd
import pytest

from core.labs.compare import CompareOptions, overview, read_scores
from core.labs.compare.in_words import percent
from core.manifest import make_manifest
from core.report import result_sections, run_report
from core.runs import load_run, save_run
from tests.core.labs.compare.tables import random_table

EVIL = "<script>alert(1)</script>"
MODELS = ["r-step-5", "r-step-20", "other"]
OPTIONS = {
    "baseline": "r-step-20",
    "noise_floors": {"r-step-5": 0.01},
    "seed": 3,
    "steps": {"r-step-5": 5, "r-step-20": 20},
    "runs": {"r-step-5": "r", "r-step-20": "r"},
}


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    scores = random_table(40, MODELS)
    pairs = pd.DataFrame(
        {
            "pair_id": [f"x{i}" for i in range(40)],
            "prompt_id": [f"p{i // 2}" for i in range(40)],
            "prompt": [[{"role": "user", "content": f"Question {i} {EVIL}"}] for i in range(40)],
            "chosen": [f"good {i} {EVIL}" for i in range(40)],
            "rejected": [f"bad {i}" for i in range(40)],
        }
    )
    return {"scores": scores, "pairs": pairs}


@pytest.fixture(scope="module")
def sections(tables):
    return result_sections("compare", tables, OPTIONS)


def test_every_part_has_a_section(sections):
    headings = [section.heading for section in sections]
    for expected in (
        "Accuracy",
        "Paired tests",
        "Head to head",
        "Who changed their mind",
        "Agreement",
        "Calibration",
        "By domain",
        "By length",
        "Ensembles",
        "Training run r",
    ):
        assert expected in headings


def test_its_numbers_are_those_of_the_page(sections, tables):
    options = CompareOptions(baseline="r-step-20", seed=3)
    on_page = overview(read_scores(tables["scores"]), options)
    pd.testing.assert_frame_equal(sections[0].tables["Overview"], on_page)
    best = on_page.sort_values("value").iloc[-1]
    assert percent(best) in sections[0].text
    assert "Baseline: r-step-20." in sections[0].text


def test_changed_pairs_carry_their_texts(sections, tables):
    section = next(s for s in sections if s.heading == "Pairs that changed: other")
    (shown,) = section.tables.values()
    by_id = tables["pairs"].set_index("pair_id")
    for row in shown.to_dict(orient="records"):
        assert row["chosen"] == by_id.loc[row["pair_id"], "chosen"]
        assert np.sign(row["margin_baseline"]) != np.sign(row["margin_candidate"])


def test_no_figure_needs_the_graphics_card(sections):
    kinds = {trace.type for s in sections for figure in s.figures for trace in figure.data}
    assert not any(kind.endswith("gl") for kind in kinds)


def test_a_saved_run_is_told_whole_and_its_texts_stay_texts(tables, tmp_path):
    manifest = make_manifest("compare", [], seed=3)
    saved = save_run("compare", "Three models", tables, manifest, OPTIONS, folder=tmp_path)
    text = run_report(load_run(saved.id, tmp_path))
    assert "Why there are no figures" not in text
    assert "Training run r" in text
    assert EVIL not in text
    assert len(text.encode()) < 5_000_000


def test_without_texts_or_options_there_is_still_a_report(tables):
    sections = result_sections("compare", {"scores": tables["scores"]}, {})
    assert sections[0].heading == "Accuracy"
    assert "Baseline: r-step-5." in sections[0].text


def test_rewards_that_are_missing_are_told_in_tables(tables):
    damaged = tables["scores"].drop(columns="reward_chosen")
    sections = result_sections("compare", {"scores": damaged}, OPTIONS)
    assert sections[0].heading == "Why there are no figures"
    assert "reward_chosen" in sections[0].notes[0]
