"""The self-rewarding report: drawn from saved tables as it was on screen."""

import json
from pathlib import Path

import pytest

from core.figures import self_rewarding as figures
from core.labs.self_rewarding.tables import Findings, to_tables
from core.report import report_kinds, run_report, run_sections
from core.report.kinds.self_rewarding import KIND, self_rewarding_sections
from core.runs import save_run
from tests.core.labs.self_rewarding.test_tables import all_findings

OPTIONS = {"beta": 0.1, "parallel": 0.95, "rule": "Anchored."}


@pytest.fixture(scope="module")
def found() -> Findings:
    return all_findings()


def test_a_saved_run_draws_the_figures_of_the_results(found: Findings, tmp_path: Path) -> None:
    assert KIND in report_kinds()
    run = save_run(KIND, "All parts", to_tables(found), {}, OPTIONS, folder=tmp_path)
    sections = {section.heading: section for section in run_sections(run)}
    assert list(sections) == [
        "What happened to the pairs",
        "What happened to the pairs: what DPO makes of them",
        "What happened to the pairs: who won the slots",
        "Pairs built again",
        "Pairs built again: who won the slots",
        "Judge and outside model",
        "Audit of a preference set",
    ]
    recorded, learned = sections["What happened to the pairs"], found.recorded
    assert learned is not None
    expected = figures.over_iterations(learned.estimates, "gap", title="Gap")
    assert json.loads(recorded.figures[0].to_json()) == json.loads(expected.to_json())
    assert "it shrank." in recorded.text
    assert "classic: Gap, last over first" in recorded.estimates
    assert len(sections["What happened to the pairs: what DPO makes of them"].figures) == 5
    text = run_report(run)
    assert "Judge and outside model" in text
    assert len(text.encode()) < 5_000_000


def test_parts_that_were_not_run_have_no_section(found: Findings) -> None:
    sections = self_rewarding_sections(to_tables(Findings(audit=found.audit)), {})
    assert [section.heading for section in sections] == ["Audit of a preference set"]
    assert sections[0].notes
