"""Saved runs told by the builder of their kind, and the command that does it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from core.cli import app
from core.figures.style import frame
from core.manifest import make_manifest
from core.report import (
    Section,
    pack_estimates,
    register_report,
    registry,
    report_kinds,
    run_report,
    run_sections,
    unpack_estimates,
)
from core.runs import Run, save_run
from core.stats import Estimate

TABLE = pd.DataFrame({"pair_id": ["a", "b"], "margin": [1.5, math.nan]})


@pytest.fixture(autouse=True)
def builders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A registry of the test's own, and a user's folder of its own."""
    report_kinds()
    monkeypatch.setattr(registry, "_BUILDERS", dict(registry._BUILDERS))
    monkeypatch.setenv("REWARD_WORKBENCH_HOME", str(tmp_path / "home"))


def save(kind: str = "test-kind", **changes: Any) -> Run:
    content: dict[str, Any] = {
        "tables": {"pair_margins": TABLE},
        "manifest": make_manifest(kind, [], seed=11),
        "options": {"dose": 2},
        "python": "import core",
        "notes": ["3 rows left out: no text"],
    }
    return save_run(kind, "Margins <of> pocket", **(content | changes))


def margins(tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]) -> Sequence[Section]:
    figure = frame("Margins", "pair", "margin").add_bar(y=tables["pair_margins"]["margin"])
    return [Section("Margins", text=f"dose {options['dose']}", figures=[figure])]


def test_a_kind_without_a_builder_shows_all_its_tables() -> None:
    run = save(tables={"pair_margins": TABLE, "second": TABLE[:1]})
    sections = run_sections(run)
    assert [each.heading for each in sections] == ["Pair margins", "Second"]
    assert list(sections[0].tables) == ["pair_margins"]


def test_a_registered_builder_tells_its_kind_only() -> None:
    register_report("test-kind", margins)
    (section,) = run_sections(save())
    assert section.text == "dose 2"
    assert [each.heading for each in run_sections(save("other"))] == ["Pair margins"]
    assert "test-kind" in report_kinds()


def test_estimates_survive_a_saved_run() -> None:
    estimates = {
        "accuracy": Estimate(0.7, 0.6, 0.8, 0.95, 9, 8, "bootstrap", {"no text": 1, "tie": 2}),
        "slope": Estimate(math.nan, -math.inf, math.inf, 0.9, 1, 1, "one prompt", {}),
    }
    for given in (estimates, {}):
        run = save(tables={"estimates": pack_estimates(given)})
        found = unpack_estimates(run.tables["estimates"])
        assert repr(found) == repr(given)


def test_two_builders_of_one_kind_are_refused_and_the_same_one_twice_is_not() -> None:
    register_report("test-kind", margins)
    register_report("test-kind", margins)
    with pytest.raises(ValueError, match="already told by margins"):
        register_report("test-kind", lambda _tables, _options: [])


def test_a_run_that_its_builder_cannot_tell_shows_its_tables_and_why() -> None:
    register_report("test-kind", margins)
    why, *rest = run_sections(save(tables={"other": TABLE}))
    assert "KeyError" in why.notes[0]
    assert [each.heading for each in rest] == ["Other"]


def test_the_report_has_all_that_the_run_has() -> None:
    run = save()
    text = run_report(run)
    for part in (
        "Margins &lt;of&gt; pocket",
        run.id,
        "3 rows left out: no text",
        "&#34;dose&#34;: 2",
        "&#34;seed&#34;: 11",
        "import core",
        "pair_margins",
    ):
        assert part in text, part


def test_the_command_writes_the_report_of_a_run(tmp_path: Path) -> None:
    register_report("test-kind", margins)
    run = save()
    for name in (run.id, str(run.folder)):
        output = tmp_path / "report.html"
        result = CliRunner().invoke(app, ["report", name, "--output", str(output)])
        assert result.exit_code == 0, result.output
        assert "Margins <of> pocket (test-kind): 2.0 MB" in result.output
        assert output.read_text(encoding="utf-8").startswith("<!doctype html>")
        output.unlink()


@pytest.mark.parametrize(
    ("run", "output", "told"),
    [
        ("absent", "report.html", "There is no run 'absent'"),
        ("absent", "report.pdf", "a report is an HTML file"),
        ("absent", "nowhere/report.html", "there is no folder"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, run: str, output: str, told: str) -> None:
    result = CliRunner().invoke(app, ["report", run, "--output", str(tmp_path / output)])
    assert result.exit_code == 2
    assert told in result.output
    assert not (tmp_path / output).exists()
