"""All results of the lab as flat tables: what is exported, saved, and drawn again."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from core.labs.self_rewarding.audit import AuditResult
from core.labs.self_rewarding.drift import DriftResult
from core.labs.self_rewarding.estimates import estimate_row, estimates_frame, row_estimate
from core.labs.self_rewarding.iterations import IterationResult

_PARTS = ("pairs", "estimates", "changes", "slots", "left_out")


@dataclass(frozen=True)
class Findings:
    """What was found; a part that was not run is None.

    Attributes:
        recorded: pairs as a training run recorded them.
        rebuilt: pairs as the builder made them.
        drift: judge and outside model.
        audit: of a preference set.
    """

    recorded: IterationResult | None = None
    rebuilt: IterationResult | None = None
    drift: DriftResult | None = None
    audit: AuditResult | None = None


def to_tables(found: Findings) -> dict[str, pd.DataFrame]:
    """The findings as tables by name; a part that was not run has none."""
    tables: dict[str, pd.DataFrame] = {}
    for name, result in (("recorded", found.recorded), ("rebuilt", found.rebuilt)):
        if result is not None:
            tables |= {f"{name}_{part}": getattr(result, part) for part in _PARTS}
    if found.drift is not None:
        unscored = pd.DataFrame({"unscored": [found.drift.unscored]})
        tables |= {
            "drift_estimates": found.drift.estimates,
            "drift_changes": found.drift.changes,
            "drift_left_out": unscored,
        }
    if found.audit is not None:
        rows = [
            estimate_row(estimate, method="", run="", iteration=0, measure=name)
            for name, estimate in found.audit.estimates.items()
        ]
        summary = {"n_equal": [found.audit.n_equal], "at_start": [found.audit.at_start]}
        tables |= {
            "audit_pairs": found.audit.pairs,
            "audit_estimates": estimates_frame(rows),
            "audit_flags": found.audit.flags,
            "audit_summary": pd.DataFrame(summary),
            "audit_missing": pd.DataFrame({"missing": pd.Series(found.audit.missing, dtype="str")}),
        }
    return tables


def from_tables(tables: Mapping[str, pd.DataFrame]) -> Findings:
    """The findings of `to_tables`."""
    return Findings(
        recorded=_iterations(tables, "recorded"),
        rebuilt=_iterations(tables, "rebuilt"),
        drift=_drift(tables),
        audit=_audit(tables),
    )


def _iterations(tables: Mapping[str, pd.DataFrame], name: str) -> IterationResult | None:
    if f"{name}_pairs" not in tables:
        return None
    return IterationResult(**{part: tables[f"{name}_{part}"] for part in _PARTS})


def _drift(tables: Mapping[str, pd.DataFrame]) -> DriftResult | None:
    if "drift_estimates" not in tables:
        return None
    unscored = int(tables["drift_left_out"]["unscored"].iloc[0])
    return DriftResult(tables["drift_estimates"], tables["drift_changes"], unscored)


def _audit(tables: Mapping[str, pd.DataFrame]) -> AuditResult | None:
    if "audit_pairs" not in tables:
        return None
    summary = tables["audit_summary"].iloc[0]
    rows = tables["audit_estimates"].to_dict("records")
    return AuditResult(
        pairs=tables["audit_pairs"],
        estimates={str(row["measure"]): row_estimate(row) for row in rows},
        flags=tables["audit_flags"],
        n_equal=float(summary["n_equal"]),
        at_start=bool(summary["at_start"]),
        missing=tuple(tables["audit_missing"]["missing"]),
    )
