"""The lines of Python that give the page's numbers again."""

from app_pages.common.invariance.setup import Setup
from core.labs.invariance.tables import Findings

_SCORED = (
    "def scored(plan):",
    '    """Each model\'s rewards of a plan."""',
    "    tables = {}",
    "    for model in models:",
    "        found = score_conversations(get_service(), model, plan.conversations())",
    '        tables[model] = plan.scored(found["reward"], found["error"])',
    "    return tables",
)


def as_python(setup: Setup, found: Findings) -> str:
    """A script for what was run: the same pairs, options and models.

    Args:
        setup: the choices above the tabs.
        found: what was run with them.
    """
    parts = [
        "from core.engine.plans import score_conversations",
        "from core.engine.service import get_service",
        "from core.labs.invariance import attribute_scan, battery",
        "from core.labs.pairs import plan_pairs",
        setup.chosen.python,
        "",
        f"models = {list(setup.models)!r}",
        "",
        *_SCORED,
    ]
    if found.batteries:
        parts += _battery(setup, found)
    if found.scans:
        parts += _scan(found)
    if found.planted:
        parts += [
            "",
            "from core.labs.invariance import planted",
            "",
            f"for model, table in scored(planted.plan(pairs, seed={setup.options.seed})).items():",
            "    print(model, planted.scan(table).table, sep='\\n')",
        ]
    if found.rates:
        parts += [
            "",
            "# Effects by rewriting: core.labs.invariance.rate.plan(table, rewriter), then "
            "run(...).",
        ]
    if found.heads or found.biased_heads:
        parts += [
            "",
            "# Heads: core.engine.hidden_states.StatesRun reads the features, and",
            "# core.labs.invariance.frontier.frontier(features, options) trains the heads.",
        ]
    return "\n".join(parts)


def _battery(setup: Setup, found: Findings) -> list[str]:
    options = setup.options
    floors = {model: each.options.noise_floor for model, each in found.batteries.items()}
    names = ",\n        ".join(repr(name) for name in options.perturbations)
    return [
        "",
        "edits = dict(",
        f"    perturbations=(\n        {names},\n    ),",
        f"    doses={options.doses!r}, relevance={options.relevance}, seed={options.seed},",
        ")",
        "# Measured by the conformance check of each model.",
        f"noise_floors = {floors!r}",
        "results = {}",
        "plan = battery.plan(pairs, battery.BatteryOptions(**edits))",
        "for model, table in scored(plan).items():",
        "    options = battery.BatteryOptions(**edits, noise_floor=noise_floors[model])",
        "    results[model] = battery.run(table, options)",
        '    columns = ["perturbation", "dose", "change", "low", "high", "p_adjusted", "verdict"]',
        "    print(model, results[model].effects[columns], sep='\\n')",
    ]


def _scan(found: Findings) -> list[str]:
    options = next(iter(found.scans.values())).options
    return [
        "",
        "from core.labs.attributes import attributes",
        "",
        f"scan = attribute_scan.ScanOptions(n_bins={options.n_bins}, seed={options.seed})",
        "# The page reads more pairs on that tab: raise the number of pairs above for the same.",
        "for model, table in scored(plan_pairs(pairs)).items():",
        "    print(model, attribute_scan.scan(table, attributes(), scan).table, sep='\\n')",
    ]
