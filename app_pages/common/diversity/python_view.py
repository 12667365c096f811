"""The lines of Python that give the page's numbers again."""

from dataclasses import asdict

from app_pages.common.diversity.setup import MOST_ROWS, Setup
from core.labs.diversity.groups import Options


def as_python(setup: Setup, options: Options, by: str | None) -> str:
    """A script for what was run: the same rollouts, comparison, reward and frontier.

    Args:
        setup: the choices above the tabs.
        options: of the reward.
        by: the column of the frontier; None for none.
    """
    given = {
        name: value for name, value in asdict(options).items() if value != getattr(Options(), name)
    }
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    embeds = setup.method == "embedding"
    lines = [
        *(["from core.embeddings import default_embedder"] if embeds else []),
        "from core.labs.diversity import frontier, groups",
        "from core.labs.diversity.similarity import prepare",
        setup.python,
        "rollouts = rollouts.reset_index(drop=True)",
        "rollouts['method'] = [str(run).partition('/')[0] for run in rollouts['run']]",
        *(
            [f"# The page drew problems at random down to {MOST_ROWS:,} rows."]
            if setup.notes
            else []
        ),
        "",
    ]
    if embeds:
        lines += [
            "texts = [str(text) for text in rollouts['response'].fillna('')]",
            "vectors = default_embedder().embed(texts).vectors",
            "similarity = prepare(rollouts, 'embedding', vectors=vectors)",
        ]
    else:
        lines.append(f"similarity = prepare(rollouts, {setup.method!r})")
    lines += [
        f"result = groups.run(similarity, groups.Options({arguments}))",
        "print(result.estimates, result.traps, result.left_out, sep='\\n')",
    ]
    if by is not None:
        lines += [
            f"found = frontier.run(similarity, {by!r}, threshold={setup.threshold}, "
            f"linking={setup.linking!r})",
            "print(found.points, found.differences, sep='\\n')",
        ]
    return "\n".join(lines)
