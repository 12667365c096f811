"""What is taken along from a comparison: its tables, its choices, and the Python of it."""

from collections.abc import Mapping

import pandas as pd

from app_pages.compare.results import Compared, Tables
from core.labs.compare import CompareOptions
from core.models.catalogue import list_cards
from core.models.checkpoints import checkpoint_of

TITLE = "Comparison"


def tables(ground: Compared, drawn: Tables) -> dict[str, pd.DataFrame]:
    """The rewards, the pairs with their texts, and the tables of what is on screen."""
    return {"scores": ground.table, "pairs": ground.pairs, **drawn}


def told(ground: Compared, options: CompareOptions) -> dict[str, object]:
    """The choices, enough for a report to compute every part again."""
    cards = {card.id: card for card in list_cards()}
    found = {model: checkpoint_of(model, cards.get(model)) for model in ground.models}
    return {
        "baseline": ground.baseline,
        "models": list(ground.models),
        "noise_floors": dict(options.noise_floors),
        "seed": ground.seed,
        "steps": {model: one.step for model, one in found.items() if one is not None},
        "runs": {model: one.run for model, one in found.items() if one is not None},
    }


def title(ground: Compared, source: str) -> str:
    """What the run is called unless the visitor names it."""
    others = len(ground.models) - 1
    against = ground.candidates[0] if others == 1 else f"{others} others"
    return f"{ground.baseline} against {against} on {len(ground.pairs):,} {source}"


def notes(ground: Compared, left_out: Mapping[str, int]) -> list[str]:
    """What a reader must know of the pairs."""
    lines = [f"{count:,} pairs of the source left out: {why}" for why, count in left_out.items()]
    return [*ground.scores.notes, *lines]


def python(ground: Compared, options: CompareOptions, pairs: str) -> str:
    """The lines that give the whole comparison again.

    Args:
        ground: the comparison.
        options: with the noise floors that were used.
        pairs: the lines that give `pairs`.
    """
    floors = dict(options.noise_floors)
    return "\n".join(
        [
            "from core.engine.plans import score_conversations",
            "from core.engine.service import get_service",
            "from core.labs.compare import CompareOptions, run",
            "from core.labs.compare.pair_table import stack_pairs",
            "from core.labs.pairs import plan_pairs",
            pairs,
            "",
            f"models = {list(ground.models)!r}",
            "plan = plan_pairs(pairs)",
            "scored = {}",
            "for model in models:",
            "    found = score_conversations(get_service(), model, plan.conversations())",
            '    scored[model] = plan.scored(found["reward"], list(found["error"]))',
            "",
            f"options = CompareOptions(baseline={ground.baseline!r}, noise_floors={floors!r}, "
            f"seed={ground.seed})",
            "result = run(stack_pairs(pairs, scored), options)",
            "print(result.overview)",
        ]
    )
