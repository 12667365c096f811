"""A redraw of fragments gives way to a page the visitor has asked for."""

from types import SimpleNamespace

import pytest
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import RerunData
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests, ScriptRequestType

from app_pages.common import session

ASKED = []


@pytest.fixture
def requests(monkeypatch):
    waiting = ScriptRequests()
    context = SimpleNamespace(fragment_ids_this_run=["live"], script_requests=waiting)
    monkeypatch.setattr(session, "get_script_run_ctx", lambda: context)
    monkeypatch.setattr(session.st, "rerun", ASKED.append)
    ASKED.clear()
    return waiting


def test_fragments_are_redrawn_when_nothing_waits(requests):
    session.redraw("live", "details")
    assert ASKED == [["live", "details"]]


def test_a_click_on_another_page_is_left_to_run(requests):
    requests.request_rerun(RerunData(page_script_hash="models"))
    session.redraw("live")
    assert ASKED == []
    waiting = requests.on_scriptrunner_ready()
    assert waiting.type is ScriptRequestType.RERUN
    assert waiting.rerun_data.page_script_hash == "models"


def test_a_stop_is_left_alone(requests):
    requests.request_stop()
    session.redraw("live")
    assert ASKED == []


def test_another_fragment_that_waits_does_not_keep_it_back(requests):
    requests.request_rerun(RerunData(fragment_id_queue=["other"], is_fragment_scoped_rerun=True))
    session.redraw("live")
    assert ASKED == [["live"]]
    assert requests.on_scriptrunner_ready().rerun_data.fragment_id_queue == ["other"]


def test_fragments_of_a_page_that_is_gone_are_not_missed(requests, monkeypatch):
    def unknown(_):
        raise StreamlitAPIException("No fragment found")

    monkeypatch.setattr(session.st, "rerun", unknown)
    session.redraw("live")
