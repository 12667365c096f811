"""The report of the task order lab, drawn again from its tables (`to_tables`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import task_order as figures
from core.report import Section, register_report

KIND = "task-order"

Tables = Mapping[str, pd.DataFrame]

QUESTION = (
    "Does the order of training reshape how a model handles its tasks? From what training on each "
    "task does to the others, the final scores of every order are predicted: a task ends at the "
    "level right after its own stage plus the effects of all tasks trained later. The prediction "
    "stands on two assumptions of arXiv 2507.14783 that the paper does not prove; the algebra is "
    "our reading."
)
OBSERVED = (
    "What the recorded orders really ended at, beside what was predicted. The correlation is "
    "Spearman's; its interval comes from resampling test problems, the same for every policy."
)
ASSUMPTIONS = (
    "The same numbers read where a task was trained first and where it was trained later. They "
    "would agree if effects did not depend on what was trained before (assumption 1) and one pass "
    "always led to the same level (assumption 2)."
)


def task_order_sections(tables: Tables, options: Mapping[str, Any]) -> Sequence[Section]:
    """Sections of what was found; a part that was not looked at has none.

    Args:
        tables: of `core.labs.task_order.tables.to_tables`.
        options: of the page: `chosen`, `scale_meaning`, `stages_meaning`, `unit`.
    """
    makers = (
        ("orders", _orders),
        ("observed", _observed),
        ("assumptions", _assumptions),
        ("classic", _classic),
        ("entropies", _entropies),
    )
    found = [make(tables, options) for name, make in makers if name in tables]
    if "left_out" in tables:
        found.append(
            Section(
                "What was left out", tables={"Left out, by part and reason": tables["left_out"]}
            )
        )
    return found


def _orders(tables: Tables, options: Mapping[str, Any]) -> Section:
    notes = [
        str(options[name])
        for name in ("source", "stages_meaning", "scale_meaning")
        if options.get(name)
    ]
    if "survival" in tables:
        row = tables["survival"].iloc[0]
        notes.append(
            f"The best order stays best in {float(row['best_stays']):.0%} of "
            f"{int(row['n_draws']):,} draws ({row['method']})."
        )
    joint = (
        float(tables["joint"]["score"].mean())
        if "joint" in tables and options.get("unit", "mean score") == "mean score"
        else None
    )
    drawn = [
        figures.transfer_heat_map(tables["transfer"], title="Effect of training on other tasks"),
        figures.order_bars(
            tables["orders"],
            joint=joint,
            title="Predicted, every order",
            unit=str(options.get("unit", "mean score")),
        ),
        figures.path_lines(tables["path"], title=f"Predicted: {options.get('chosen', '')}"),
    ]
    named = {
        "Orders": "orders", "Levels": "levels", "Effects": "transfer", "Predicted path": "path",
        "Joint training": "joint", "Survival": "survival",
    }  # fmt: skip
    return Section(
        "Which order ends best?", QUESTION, figures=drawn, tables=_some(tables, named), notes=notes
    )


def _observed(tables: Tables, _: Mapping[str, Any]) -> Section:
    return Section(
        "Predicted against observed",
        OBSERVED,
        figures=[figures.predicted_against_observed(tables["observed"])],
        tables=_some(tables, {"Agreement": "agreement", "Orders and seeds": "observed"}),
    )


def _assumptions(tables: Tables, _: Mapping[str, Any]) -> Section:
    table = tables["assumptions"]
    drawn = [figures.assumption_differences(table)] if len(table) else []
    shown = {"First and later stages": "assumptions"}
    return Section(
        "Do the assumptions hold?", ASSUMPTIONS, figures=drawn, tables=_some(tables, shown)
    )


def _classic(tables: Tables, _: Mapping[str, Any]) -> Section:
    text = (
        "Backward transfer is the last score minus the score after a task's own stage; forward "
        "transfer the score just before it minus the untrained one; forgetting the highest minus "
        "the last score. Means over tasks, then over seeds."
    )
    return Section("Continual-learning numbers", text, tables={"Numbers": tables["classic"]})


def _entropies(tables: Tables, _: Mapping[str, Any]) -> Section:
    text = (
        "Mean entropy per token by stage. A stage that lowers it sharpens the policy, as a lower "
        "temperature would; one that raises it flattens it."
    )
    changes = tables["entropy_changes"] if "entropy_changes" in tables else pd.DataFrame()
    drawn = [figures.transfer_heat_map(changes, title="Change of entropy")] if len(changes) else []
    named = {"Changes by trained task": "entropy_changes", "By stage": "entropies"}
    return Section("Entropy", text, figures=drawn, tables=_some(tables, named))


def _some(tables: Tables, named: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {caption: tables[name] for caption, name in named.items() if name in tables}


register_report(KIND, task_order_sections)
