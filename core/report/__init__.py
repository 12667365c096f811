"""Results as one self-contained HTML file that opens without the workbench and without a network.

`build_report` makes it from sections; `run_report` from a saved run, told by the builder that
`register_report` gave its kind.
"""

from core.report.build import MAX_REPORT_BYTES, build_report, write_report
from core.report.registry import (
    ReportBuilder,
    all_tables,
    register_report,
    report_kinds,
    result_sections,
    run_report,
    run_sections,
)
from core.report.section import Section, estimates_table, pack_estimates, unpack_estimates

__all__ = [
    "MAX_REPORT_BYTES",
    "ReportBuilder",
    "Section",
    "all_tables",
    "build_report",
    "estimates_table",
    "pack_estimates",
    "register_report",
    "report_kinds",
    "result_sections",
    "run_report",
    "run_sections",
    "unpack_estimates",
    "write_report",
]
