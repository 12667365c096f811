"""The prompt awareness report: drawn from saved tables as it was on screen."""

import json
from pathlib import Path

import pytest

from core.figures import prompt_awareness as figures
from core.labs.prompt_awareness.tables import Findings, to_tables
from core.report import report_kinds, run_report, run_sections
from core.report.kinds.prompt_awareness import KIND, prompt_awareness_sections
from core.runs import save_run
from tests.core.labs.prompt_awareness.test_tables import all_findings

OPTIONS = {"kind": "random", "estimator": "mean"}


@pytest.fixture(scope="module")
def found() -> Findings:
    return all_findings()


def without_title(figure) -> dict:
    drawn = json.loads(figure.to_json())
    drawn["layout"].pop("title")
    return drawn


def test_the_kind_is_known() -> None:
    assert KIND in report_kinds()


def test_a_saved_run_draws_the_figures_of_the_results(found: Findings, tmp_path: Path) -> None:
    run = save_run(KIND, "All parts", to_tables(found), {}, OPTIONS, folder=tmp_path)
    sections = {section.heading: section for section in run_sections(run)}
    assert (
        list(sections)
        == [
            "Do the models read the prompt?",
            "Pairs under other prompts",
            "Prompt × response matrix",
            "Prompt-free part",
            "Ablations",
            "Training weights",
            "What was left out",
        ][: len(sections)]
    )
    drawn = [without_title(f) for f in sections["Pairs under other prompts"].figures]
    for model, result in found.swaps.items():
        for figure in (figures.own_against_swapped, figures.swapped_band):
            assert without_title(figure(result, "random", title=model)) in drawn
    matrix = [without_title(f) for f in sections["Prompt × response matrix"].figures]
    for result in found.matrices.values():
        assert without_title(figures.heat_map(result, show="interaction", title="x")) in matrix
    shares = {name: each.shares for name, each in found.matrices.items()}
    assert without_title(figures.variance_bars(shares, title="x")) in matrix
    parts = [without_title(f) for f in sections["Prompt-free part"].figures]
    for result in found.parts.values():
        assert without_title(figures.gap_parts(result, "mean", title="x")) in parts
    (bars,) = sections["Ablations"].figures
    assert without_title(bars) == without_title(figures.ablation_bars(found.ablations, title="x"))
    (board,) = sections["Do the models read the prompt?"].figures
    assert without_title(board) == without_title(
        figures.retention_leaderboard(found.board, title="x")
    )


def test_the_report_is_one_file_with_the_words_and_the_numbers(
    found: Findings, tmp_path: Path
) -> None:
    run = save_run(KIND, "All parts", to_tables(found), {}, OPTIONS, folder=tmp_path)
    text = run_report(run)
    assert "Do the models read the prompt?" in text
    assert "mostly ignores the prompt" in text
    assert len(text.encode()) < 5_000_000


def test_parts_that_were_not_run_have_no_section(found: Findings) -> None:
    tables = to_tables(Findings(matrices=found.matrices))
    headings = [section.heading for section in prompt_awareness_sections(tables, {})]
    assert headings == ["Prompt × response matrix"]
