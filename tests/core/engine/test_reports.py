"""Conformance reports are kept: by model, card and version, across processes."""

from pathlib import Path

import pytest

from core.engine.reports import ReportStore
from tests.core.engine.conftest import CountingModel

conformance = pytest.importorskip("core.engine.conformance")


def make_report(model: CountingModel) -> object:
    lines = (
        conformance.Check("repeat", "holds", "0 difference", ""),
        conformance.Check("padding", "fails", "0.3 apart", "Set padding.token."),
    )
    return conformance.ConformanceReport(
        model=model.card.id,
        fingerprint=model.fingerprint,
        lines=lines,
        noise_floor=0.03,
        probe_spread=0.26,
        seconds=1.5,
    )


def test_a_report_comes_back_from_disk(tmp_path: Path) -> None:
    model = CountingModel()
    report = make_report(model)
    assert ReportStore(tmp_path).get(model) is None
    ReportStore(tmp_path).put(model, report)
    assert ReportStore(tmp_path).get(model) == report


def test_another_version_or_card_is_not_covered(tmp_path: Path) -> None:
    model = CountingModel()
    store = ReportStore(tmp_path)
    store.put(model, make_report(model))
    assert store.get(CountingModel(version="2")) is None
    recarded = CountingModel()
    recarded.card = model.card.model_copy(update={"max_length": 100})
    assert store.get(recarded) is None


def test_a_damaged_report_means_a_new_check(tmp_path: Path) -> None:
    model = CountingModel()
    ReportStore(tmp_path).put(model, make_report(model))
    (file,) = tmp_path.glob("*.json")
    file.write_text('{"lines": 3')
    assert ReportStore(tmp_path).get(model) is None


def test_without_a_folder_reports_are_kept_in_memory() -> None:
    model = CountingModel()
    store = ReportStore(None)
    store.put(model, make_report(model))
    assert store.get(model) == make_report(model)
