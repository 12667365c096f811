"""Saved runs: listed, opened as they were saved, side by side, deleted after a question."""

from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common import runs_view
from core.engine.service import RewardService
from core.report import Section
from core.runs import list_runs, save_run
from core.stats import Estimate
from tests.pages.conftest import ROOT, TIMEOUT_S, until

PAGE = "app_pages/results/runs.py"
MANIFEST = {"models": [{"id": "words", "dtype": ""}], "versions": {"numpy": "2"}, "seed": 0}


@pytest.fixture
def runs(service: RewardService) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    return test.run()


def save(title: str, value: float = 1.0, **options: object):
    table = pd.DataFrame({"text": [f"*{title}*", "b"], "value": [value, 2.0]})
    notes = ["one was *left* out"]
    return save_run("trial", title, {"numbers": table}, MANIFEST, options, "print(1)", notes)


def open_page(test: AppTest, first: str | None = None, second: str | None = None) -> AppTest:
    # The test's page switch drops the link's parameters; they reach the widgets of these keys.
    test.switch_page(PAGE)
    for key, value in ((runs_view.FIRST, first), (runs_view.SECOND, second)):
        if value is not None:
            test.session_state[key] = value
    test.run()
    return until(test, lambda: "Opening" not in texts(test))


def texts(test: AppTest) -> str:
    parts = [*test.caption, *test.markdown, *test.text, *test.info, *test.error]
    return "\n".join(part.value.replace("\\", "") for part in parts)


def test_without_runs_the_page_says_how_to_make_one(runs: AppTest):
    open_page(runs)
    assert "No run is saved yet" in texts(runs)


def test_runs_are_listed_newest_first_with_their_models(runs: AppTest):
    save("first")
    save("second")
    open_page(runs)
    listed = runs.dataframe[0].value
    assert sorted(listed["Name"]) == ["first", "second"]
    assert listed["Models"].tolist() == ["words", "words"]
    assert listed["Rows"].tolist() == [2, 2]


def test_a_run_is_opened_as_it_was_saved(runs: AppTest):
    run = save("my *run*", seed=3)
    open_page(runs, run.id)
    assert "#### my *run*" in texts(runs)
    assert "one was *left* out" in texts(runs)
    shown = runs.dataframe[1].value
    assert shown["value"].tolist() == [1.0, 2.0]
    assert shown["text"].tolist() == ["*my *run**", "b"]
    labels = [button.label for button in runs.get("download_button")]
    assert labels == ["HTML report", "CSV", "JSON", "Parquet"]


def test_a_click_on_a_row_opens_it_and_on_two_rows_both(runs: AppTest):
    first, second = save("first"), save("second")
    ids = [run.id for run in list_runs().runs]
    open_page(runs)
    runs.session_state["runs-table"] = {"selection": {"rows": [0, 1], "columns": [], "cells": []}}
    runs.session_state[runs_view.FIRST] = ids[0]
    runs.session_state[runs_view.SECOND] = ids[1]
    runs.run()
    until(runs, lambda: "Opening" not in texts(runs))
    assert {"#### first", "#### second"} <= set(texts(runs).splitlines())
    assert {first.id, second.id} == set(ids)


def test_two_runs_show_what_differs_in_how_they_were_made(runs: AppTest):
    first, second = save("first", seed=1, level="x"), save("second", seed=2, level="x")
    open_page(runs, first.id, second.id)
    (found,) = [each.value for each in runs.dataframe if "What" in each.value]
    assert found.to_numpy().tolist() == [["option seed", "1", "2"]]


def test_runs_made_alike_say_so(runs: AppTest):
    first, second = save("first"), save("second")
    open_page(runs, first.id, second.id)
    assert "Made with the same choices, models and versions" in texts(runs)


def test_parts_of_one_heading_stand_in_one_row_and_others_alone():
    a, b, c = Section("A"), Section("B"), Section("C")
    other_a = Section("A", "text")
    assert runs_view.side_by_side([a, b], [c, other_a]) == [(a, other_a), (b, None), (None, c)]


def test_numbers_that_both_reports_have_are_laid_side_by_side():
    def part(value: float, what: str = "accuracy") -> Section:
        return Section(
            "Scores",
            estimates={what: Estimate(value, value - 0.1, value + 0.1, 0.95, 9, 3, "made")},
        )

    found = runs_view.numbers_side_by_side([part(0.5)], [part(0.75)])
    assert found[["Part", "What", "Left", "Right"]].to_numpy().tolist() == [
        ["Scores", "accuracy", 0.5, 0.75]
    ]
    assert found["Left interval"].item() == "0.400 to 0.600 (95 %, n = 9, 3 prompts)"
    assert not len(runs_view.numbers_side_by_side([part(0.5)], [part(0.5, "loss")]))


def test_deleting_asks_first_and_then_deletes_only_that_run(runs: AppTest):
    keep, gone = save("keep"), save("gone")
    open_page(runs, gone.id)
    assert "Delete **gone** for good" in texts(runs)
    assert len(list_runs().runs) == 2
    runs.button(key=f"{gone.id}-delete-now").click().run()
    assert [run.id for run in list_runs().runs] == [keep.id]
    assert "gone is deleted" in texts(runs)
    assert not runs.exception


def test_a_damaged_run_is_named_with_its_fault_and_the_others_open(runs: AppTest):
    run, damaged = save("fine"), save("damaged")
    (damaged.folder / "options.json").write_text("{")
    open_page(runs, run.id)
    assert "#### fine" in texts(runs)
    assert damaged.id in texts(runs)
    assert "options.json is damaged" in texts(runs)
    runs.button(key=f"{damaged.id}-delete-now").click().run()
    assert not list_runs().problems


def test_a_table_damaged_within_is_told_when_the_run_is_opened(runs: AppTest):
    run = save("fine")
    path = run.folder / "numbers.parquet"
    path.write_bytes(b"x" * path.stat().st_size)
    open_page(runs, run.id)
    assert "numbers.parquet is damaged" in texts(runs)


def test_an_unknown_run_is_no_error(runs: AppTest):
    save("fine")
    open_page(runs, "no-such-run")
    assert not runs.exception
    assert "#### fine" not in texts(runs)


def test_visitors_of_a_shared_server_delete_only_what_they_saved(
    runs: AppTest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runs_view, "is_local", lambda: False)
    theirs, mine = save("theirs"), save("mine")
    runs.session_state["own-runs"] = {mine.id}
    open_page(runs, theirs.id, mine.id)
    keys = [button.key for button in runs.button]
    assert f"{mine.id}-delete-now" in keys
    assert f"{theirs.id}-delete-now" not in keys


def test_a_folder_that_cannot_be_read_is_told(runs: AppTest, tmp_path: Path, monkeypatch):
    def unreadable():
        from core.runs import RunError

        raise RunError("The folder cannot be read.")

    monkeypatch.setattr("core.runs.list_runs", unreadable)
    open_page(runs)
    assert not runs.exception
    assert "The folder cannot be read" in texts(runs)
