"""The lines of Python that give the page's numbers again."""

from app_pages.common.trajectories.setup import Setup
from core.labs.trajectories.rates import RateOptions
from core.labs.trajectories.updates import UpdateOptions


def as_python(setup: Setup, rates: RateOptions, update: UpdateOptions) -> str:
    """A script for what was computed: the same rollouts and options."""
    split = "split" in setup.chosen.table.columns
    return "\n".join(
        [
            setup.chosen.python,
            "from core.labs.trajectories.no_tool import no_tool_trap",
            "from core.labs.trajectories.penalties import PenaltyOptions, penalise",
            "from core.labs.trajectories.rates import RateOptions, error_rates",
            "from core.labs.trajectories.reading import ReadingOptions, read_trajectories",
            "from core.labs.trajectories.updates import UpdateOptions, weigh",
            "",
            *(['rollouts = rollouts.loc[rollouts["split"] == "train"]'] if split else []),
            f"read = read_trajectories(rollouts, {setup.reading!r})",
            f"penalised = penalise(read.table, {setup.penalties!r})",
            f"rates = error_rates(penalised, {rates!r})",
            "print(rates.rates)",
            f"found = weigh(penalised, {update!r})",
            "print(found.before, found.after, found.change, found.acceptance, sep='\\n')",
            "print(no_tool_trap(penalised))",
        ]
    )
