"""The lines of Python that give the page's numbers again."""

from app_pages.common.verifier_free.setup import Setup
from core.labs.verifier_free.spans import ALL


def as_python(setup: Setup) -> str:
    """A script with the same likelihoods and choices."""
    how, options, part = setup.options.debias, setup.options, setup.part
    head = [
        "from core.labs.verifier_free import aggregates, estimator, paraphrase, quality, rewards",
        "from core.labs.verifier_free.debias import Debias",
        "from core.labs.verifier_free.tables import read_scores",
        *setup.python,
    ]
    if part != ALL:
        head += [
            "",
            "from core.labs.verifier_free.spans import Part, restrict",
            "",
            f"scores = restrict(scores, {part!r})",
        ]
    return "\n".join(
        [
            *head,
            f"options = rewards.RewardOptions({options.score!r}, {how!r}, {options.normalised!r}, "
            f"advantage={options.advantage!r})",
            f"group = scores.of_problem({setup.problem.problem_id!r})",
            "print(rewards.side_by_side(group, options))",
            f"print(paraphrase.paraphrase_test(scores.table, {options.score!r}).ratio)",
            'logs = list(group["ref_log_probabilities"])',
            'likelihoods = aggregates.aggregate_all(logs, "product")',
            "print(estimator.demonstrate(likelihoods).table)",
            *(
                ["print(quality.quality_table(scores.table))"]
                if setup.many and setup.labelled
                else []
            ),
        ]
    )
