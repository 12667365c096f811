"""The lines of Python that give the page's numbers again."""

from app_pages.common.reasoning.scale import known_scale
from app_pages.common.reasoning.setup import Setup
from app_pages.common.reasoning.work import aggregations_of


def as_python(setup: Setup) -> str:
    """A script with the same judgements and choices."""
    options, ballots = setup.options, setup.ballots
    lines = [
        setup.python,
        "",
        "from core.labs.reasoning.orders import order_swaps",
    ]
    scale = known_scale(setup) if ballots is not None and ballots.has_scores else None
    if ballots is not None:
        lines += [
            "from core.labs.reasoning.adaptive import adaptive_curves",
            "from core.labs.reasoning.ballots import ballots_of",
            "from core.labs.reasoning.budget import budget_curve",
            "from core.labs.reasoning.curves import VotingOptions, dependence, voting_curves",
            "",
            f"options = VotingOptions(ties={options.ties!r}, keep={options.keep!r}, "
            f"seed={options.seed!r})",
            f"ballots = ballots_of(judgements, handling={setup.handling!r}, "
            f"filter_by={setup.filter_by!r})",
            f"curves = voting_curves(ballots, {aggregations_of(ballots)!r}, options)",
            "print(curves.table)",
            "print(dependence(ballots, options).correlation)",
            "print(adaptive_curves(ballots, options=options).table)",
            "print(budget_curve(ballots, options=options))",
        ]
    if scale is not None:
        lines += [
            "",
            "from core.labs.reasoning.score_stops import ScoreScale, score_curves",
            "",
            f"print(score_curves(ballots, {scale!r}, options=options).table)",
        ]
    lines += ["swaps = order_swaps(judgements)", "print(swaps.flip_rate, swaps.bias, swaps.both)"]
    return "\n".join(lines)
