"""What is taken along is what is on screen: saved, reported, exported, with its manifest."""

import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app_pages.common import results_bar
from core.engine.service import RewardService
from core.runs import list_runs
from tests.pages.conftest import TIMEOUT_S, until

SCRIPT = """
import pandas as pd
import streamlit as st
from app_pages.common.results_bar import results_bar

def page():
    results_bar(
        kind="trial",
        title="Two numbers",
        tables={"numbers": pd.DataFrame({"text": ["a", "b"], "value": [1.0, st.session_state.x]})},
        options={"seed": 7, "choice": ("p", "q")},
        models=st.session_state.models,
        python="print(1)",
        notes=["one was left out"],
    )

def runs():
    st.write("runs")

st.navigation([st.Page(page), st.Page(runs, url_path="runs")]).run()
"""


@pytest.fixture
def bar(service: RewardService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AppTest:
    links: list[dict] = []
    monkeypatch.setattr(results_bar.st, "page_link", lambda *args, **kw: links.append(kw))
    test = AppTest.from_string(SCRIPT, default_timeout=TIMEOUT_S)
    test.session_state["models"] = ["words"]
    test.session_state["x"] = 2.0
    test.links = links  # type: ignore[attr-defined]
    return test.run()


def save(test: AppTest) -> AppTest:
    test.button(key="trial-save").click().run()
    return until(test, lambda: "Saving" not in captions(test) and "Saved as" in captions(test))


def captions(test: AppTest) -> str:
    return " ".join(caption.value for caption in test.caption)


def shown(x: float = 2.0) -> results_bar._Shown:
    table = pd.DataFrame({"text": ["a", "b"], "value": [1.0, x]})
    return results_bar._Shown(
        "trial", "Two numbers", {"numbers": table}, {"seed": 7}, ["words"], "p"
    )


def test_a_saved_run_holds_what_was_on_screen(bar: AppTest):
    save(bar)
    (run,) = list_runs().runs
    assert (run.kind, run.title, run.python) == ("trial", "Two numbers", "print(1)")
    assert run.tables["numbers"].to_dict(orient="list") == {"text": ["a", "b"], "value": [1.0, 2.0]}
    assert run.options == {"seed": 7, "choice": ["p", "q"]}
    assert run.notes == ("one was left out",)
    assert run.manifest["seed"] == 7
    assert [model["id"] for model in run.manifest["models"]] == ["words"]
    assert bar.links[-1]["query_params"] == {"run": run.id}  # type: ignore[attr-defined]


def test_the_run_takes_the_name_that_was_typed(bar: AppTest):
    bar.text_input[0].set_value("My name *for* it").run()
    save(bar)
    assert list_runs().runs[0].title == "My name *for* it"


def test_the_notice_goes_when_another_result_is_on_screen(bar: AppTest):
    save(bar)
    bar.session_state["x"] = 3.0
    bar.run()
    assert "Saved as" not in captions(bar)


def test_a_folder_that_cannot_be_written_is_told(
    bar: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(blocked))
    bar.button(key="trial-save").click().run()
    until(bar, lambda: bool(bar.error))
    assert not bar.exception


def test_a_model_that_is_gone_is_told_and_nothing_is_saved(bar: AppTest):
    bar.session_state["models"] = ["no-such-model"]
    bar.run()
    bar.button(key="trial-save").click().run()
    until(bar, lambda: bool(bar.error))
    assert "no\\-such\\-model" in bar.error[0].value
    assert not list_runs().runs


def test_the_report_tells_name_options_and_model(service: RewardService):
    text = results_bar.report_bytes(shown(), "A name & more").decode()
    assert "A name &amp; more" in text
    assert "words" in text


@pytest.mark.parametrize("label", results_bar.FORMATS)
def test_exports_carry_the_tables_and_the_manifest(bar: AppTest, label: str):
    labels = [element.proto.label for element in bar.get("download_button")]
    assert label in labels
    content = results_bar.tables_archive(
        shown().tables, results_bar.FORMATS[label], shown().manifest()
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert set(archive.namelist()) == {
            f"numbers{results_bar.FORMATS[label]}",
            "manifest.json",
        }
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest["details"] == {"options": {"seed": 7}, "rows": {"numbers": 2}}


def test_results_that_differ_in_one_number_have_different_keys():
    assert shown(2.0).key == shown(2.0).key != shown(3.0).key
