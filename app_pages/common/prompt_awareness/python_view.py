"""The lines of Python that give the page's numbers again."""

from app_pages.common.prompt_awareness.setup import Setup
from core.labs.prompt_awareness.tables import Findings


def as_python(setup: Setup, found: Findings, kind: str) -> str:
    """A script for what was run: the same pairs, options and models.

    Args:
        setup: the choices above the tabs.
        found: what was run with them.
        kind: the kind of other prompts that the leaderboard stands on.
    """
    parts = [
        "from core.engine.plans import score_conversations",
        "from core.engine.service import get_service",
        "from core.labs.prompt_awareness import (",
        "    ablations, decomposition, leaderboard, matrix, swaps,",
        ")",
        setup.chosen.python,
        "",
        f"models = {list(setup.models)!r}",
        "",
        *_SCORED,
    ]
    if found.swaps:
        parts += _swaps(setup, kind)
    if found.matrices:
        n_prompts = max(len(each.rewards.index) for each in found.matrices.values())
        sides = {side for each in found.matrices.values() for side in each.cells["side"]}
        responses = "both" if len(sides) > 1 else "chosen"
        parts += [
            "",
            f"cells = matrix.MatrixOptions(responses={responses!r}, most_prompts={n_prompts}, "
            f"seed={setup.options.seed})",
            "for model, table in scored(matrix.plan(pairs, cells)).items():",
            "    print(model, matrix.run(table, cells).shares.interaction.estimate)",
        ]
    if found.ablations:
        names = tuple(
            dict.fromkeys(n for each in found.ablations.values() for n, _ in each.effects)
        )
        sides = tuple(
            dict.fromkeys(s for each in found.ablations.values() for _, s in each.effects)
        )
        parts += [
            "",
            f"edits = ablations.AblationOptions({names!r}, {sides!r}, seed={setup.options.seed})",
            "for model, table in scored(ablations.plan(pairs, edits)).items():",
            "    print(model, ablations.run(table, edits).table(), sep='\\n')",
        ]
    return "\n".join(parts)


_SCORED = (
    "def scored(plan):",
    '    """Each model\'s rewards of a plan."""',
    "    tables = {}",
    "    for model in models:",
    "        found = score_conversations(get_service(), model, plan.conversations())",
    '        tables[model] = plan.scored(found["reward"], found["error"])',
    "    return tables",
)


def _swaps(setup: Setup, kind: str) -> list[str]:
    options = setup.options
    pool = []
    argument = ""
    if setup.foreign_pool:
        pool = [
            "import pandas as pd",
            "from core.pair_sources import authored_pairs",
            "",
            "# Too few prompts of their own: others are drawn from the authored pairs too.",
            'pool = pd.concat([pairs, authored_pairs().pairs])[["prompt_id", "prompt"]]',
        ]
        argument = ", pool=pool"
    return [
        "",
        *pool,
        "options = swaps.SwapOptions(",
        f"    kinds={options.kinds!r},",
        f"    n_prompts={options.n_prompts}, topic_column={options.topic_column!r},",
        f"    slice_by={options.slice_by!r}, seed={options.seed},",
        ")",
        f"tables = scored(swaps.plan(pairs, options{argument}))",
        "results = {model: swaps.run(table, options) for model, table in tables.items()}",
        "for model, result in results.items():",
        "    print(model, result.table(), sep='\\n')",
        "    print(decomposition.run(result).summaries)",
        "evidence = {model: leaderboard.Evidence(result) for model, result in results.items()}",
        f"print(leaderboard.run(evidence, kind={kind!r}).verdicts)",
    ]
