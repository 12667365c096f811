"""The report of the reasoning lab, drawn again from its tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.figures import reasoning as figures
from core.labs.reasoning.counter_evidence import counter_evidence
from core.report import Section, register_report
from core.report.section import unpack_estimates

KIND = "reasoning"

Tables = Mapping[str, pd.DataFrame]

QUESTION = (
    "Can reward models benefit from reasoning before scoring? A judge writes about an item several "
    "times; votes of k of its judgements, drawn without replacement from those recorded, are held "
    "against the item's right winner. Majority votes are counted exactly over all choices of k."
)
ORDERS = (
    "The same pairs shown in either order. Each judgement in one order is held against each in the "
    "other order of the same item."
)
ADAPTIVE = (
    "Asking stops once the vote, or the sum of the scores, is settled, or once a posterior is sure "
    "enough. The chances are exact over all orders in which the recorded judgements can arrive "
    "(sums of more than 10 judgements: means over random orders). The posteriors are our reading: "
    "a Beta one of the votes, and of scores a normal model of their differences with a conjugate "
    "prior."
)
SCALAR = (
    "A scalar reward model on the same items, paired by item. Costs are tokens that the judge "
    "writes; a scalar model writes none."
)
REPORTED = (
    "What papers and repositories report; references for reading, not measured here. A plain "
    "Bradley-Terry head on curated data is above every reasoning judge of its table."
)


def reasoning_sections(tables: Tables, options: Mapping[str, Any]) -> Sequence[Section]:
    """Sections of what was found; a part that was not looked at has none.

    Args:
        tables: of `core.labs.reasoning.tables.to_tables`, with `estimates` packed.
        options: of the page: `source`, `judge`, `shown` (aggregation).
    """
    makers = (
        ("curves", _voting),
        ("orders", _orders),
        ("adaptive", _adaptive),
        ("tournaments", _tournaments),
        ("against", _against),
    )
    found = [make(tables, options) for name, make in makers if name in tables]
    found.append(_reported())
    if "left_out" in tables:
        found.append(
            Section(
                "What was left out", tables={"Left out, by part and reason": tables["left_out"]}
            )
        )
    return found


def _voting(tables: Tables, options: Mapping[str, Any]) -> Section:
    notes = [str(options[name]) for name in ("source", "handling_meaning") if options.get(name)]
    estimates = unpack_estimates(tables["estimates"]) if "estimates" in tables else {}
    shown = str(options.get("shown", "majority"))
    return Section(
        "Does voting help?",
        QUESTION,
        estimates=estimates,
        figures=[
            figures.voting_curves(
                tables["curves"], reference=tables.get("reference"), shown=shown,
                title="Accuracy by number of judgements",
            ),
            figures.vote_histogram(tables["votes"], title="Votes of each item"),
            figures.effective_votes(tables["effective"], title="Independent votes k are worth"),
        ],
        tables=_some(tables, {"Curves": "curves", "Items": "votes", "Effective k": "effective"}),
        notes=notes,
    )  # fmt: skip


def _orders(tables: Tables, _: Mapping[str, Any]) -> Section:
    return Section(
        "Does the order decide?",
        ORDERS,
        figures=[figures.order_matrix(tables["orders"], title="Own order against swapped order")],
        tables=_some(tables, {"Outcomes in both orders": "orders", "Items": "order_items"}),
    )


def _adaptive(tables: Tables, _: Mapping[str, Any]) -> Section:
    return Section(
        "Can asking stop early?",
        ADAPTIVE,
        figures=[figures.adaptive_budget(tables["adaptive"], title="Accuracy by judgements spent")],
        tables=_some(tables, {"Rules and thresholds": "adaptive"}),
    )


def _tournaments(tables: Tables, options: Mapping[str, Any]) -> Section:
    text = (
        "Ways of finding the best of several candidates, played many times with the chances of "
        f"{options.get('tournament', 'this judge')}."
    )
    return Section(
        "Tournaments",
        text,
        figures=[figures.tournament_costs(tables["tournaments"], title="Cost and what it finds")],
        tables=_some(tables, {"Methods": "tournaments"}),
    )


def _against(tables: Tables, options: Mapping[str, Any]) -> Section:
    drawn = [figures.scalar_differences(tables["against"], title="Judge minus scalar model")]
    if "budget" in tables:
        scalar = float(tables["against"]["scalar"].iloc[0])
        drawn.append(figures.token_budget(tables["budget"], scalar=scalar, title="Token budget"))
    notes = [str(options[name]) for name in ("budget_words",) if options.get(name)]
    return Section(
        "Scalar against reasoning",
        SCALAR,
        figures=drawn,
        tables=_some(tables, {"By subset": "against", "By budget": "budget"}),
        notes=notes,
    )


def _reported() -> Section:
    table = counter_evidence()
    return Section(
        "What others report",
        REPORTED,
        figures=[figures.reported_accuracies(table)],
        tables={"Reported accuracies": table},
    )


def _some(tables: Tables, named: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    return {caption: tables[name] for caption, name in named.items() if name in tables}


register_report(KIND, reasoning_sections)
