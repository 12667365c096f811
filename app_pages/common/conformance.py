"""The conformance badge: whether a model's numbers can be trusted, and the report behind it."""

import streamlit as st

from app_pages.common.markup import plain, table_html
from core.engine.conformance import ConformanceReport

_MARKS = {"holds": "✓ holds", "fails": "✗ fails", "not applicable": "– not applicable"}

EXPLANATION = (
    "Checked when the model loads: does a conversation's reward depend on its neighbours in the "
    "batch, on padding, order or prefix reuse? Is the template read as the card says?"
)


def conformance_badge(report: ConformanceReport | None, error: str, *, key: str) -> None:
    """A small button that says how the check went and opens the report."""
    if report is None and not error:
        st.badge("checking", icon=":material/hourglass_empty:", color="gray", help=EXPLANATION)
        return
    label, icon = _verdict(report)
    with st.popover(label, icon=icon, type="tertiary", key=key, help="Open the conformance report"):
        if report is None:
            st.text(f"The check could not run. {error}")
        else:
            conformance_report(report)


def conformance_report(report: ConformanceReport) -> None:
    """Every line of the report: verdict, what was measured, what to do."""
    st.markdown(f"**Conformance of {plain(report.model)}**")
    st.caption(EXPLANATION)
    rows = [
        (line.name, _MARKS.get(line.verdict, line.verdict), line.detail, line.fix)
        for line in report.lines
    ]
    st.html(table_html(rows, ("Check", "Verdict", "Measured", "What to do")))
    st.caption(
        f"Noise floor {report.noise_floor:.2g}: the largest reward change from batching alone, on "
        f"probes whose rewards spread by {report.probe_spread:.2g}. Smaller differences are "
        f"greyed out. Checked in {report.seconds:.1f} s."
    )


def _verdict(report: ConformanceReport | None) -> tuple[str, str]:
    if report is None:
        return "not checked", ":material/help:"
    failing = sum(line.verdict == "fails" for line in report.lines)
    if report.holds and not failing:
        return "conforms", ":material/verified:"
    return f"{failing} check{'s' if failing != 1 else ''} failed", ":material/warning:"
