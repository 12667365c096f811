"""The lines of Python that give the page's numbers again."""

from app_pages.common.verifier_free.setup import RECORDED, Setup


def as_python(setup: Setup) -> str:
    """A script with the same likelihoods and choices."""
    how, options = setup.options.debias, setup.options
    head = [
        "from core.labs.verifier_free import aggregates, estimator, paraphrase, quality, rewards",
        "from core.labs.verifier_free.debias import Debias",
        "from core.labs.verifier_free.tables import read_scores",
    ]
    if setup.source == RECORDED:
        head += [
            "from core.problem_scores import recorded_scores",
            "",
            "scores = read_scores(recorded_scores())",
        ]
    else:
        head += [
            "import pandas as pd",
            "",
            "from core.models.card import EmbeddedSource",
            "from core.models.language import load_language_model",
            "from core.models.likelihood import read_problems",
            "from core.problems import Problem, Trace",
            "",
            f"problem = {setup.problem!r}",
            'source = EmbeddedSource(kind="embedded", name="smollm2-135m-instruct")',
            'model = load_language_model(source, dtype="float32")',
            "scores = read_scores(pd.DataFrame(read_problems(model, [problem], paraphrases=True)))",
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
            *(["print(quality.quality_table(scores.table))"] if setup.source == RECORDED else []),
        ]
    )
