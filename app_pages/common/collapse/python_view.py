"""The lines of Python that give the page's numbers again."""

from app_pages.common.collapse.setup import Setup


def as_python(setup: Setup) -> str:
    """A script for what is on screen: the same rollouts and the same definitions."""
    options = setup.options
    return "\n".join(
        [
            "from core.labs.collapse.analysis import CollapseOptions, analyse, to_tables",
            "from core.labs.collapse.classes import ClassOptions",
            "from core.labs.collapse.spread import SpreadOptions",
            setup.chosen.python,
            "",
            "options = CollapseOptions(",
            f"    unreadable={options.unreadable!r}, share={options.share!r}, k={options.k!r},",
            f"    classes=ClassOptions(n_windows={options.classes.n_windows!r}, "
            f"collapsed_from={options.classes.collapsed_from!r}),",
            f"    spread=SpreadOptions(unsolved={options.spread.unsolved!r}, "
            f"k={options.spread.k!r}),",
            f"    seed={options.seed!r},",
            ")",
            f"result = analyse(rollouts, {setup.chosen.base_runs!r}, options)",
            "for name, table in to_tables(result).items():",
            "    print(name, table.head(), sep='\\n')",
        ]
    )
