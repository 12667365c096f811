"""What the open tab hands to the bar at the end of the page, and the Python that gives it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pprint import pformat

import pandas as pd

from app_pages.common.other_rewards.work import NAME
from app_pages.common.results_bar import results_bar
from core.models.card import RubricPart


@dataclass(frozen=True)
class Taken:
    """What a tab found.

    Attributes:
        title: of the run.
        tables: as `core.report.kinds.other_rewards` reads them.
        options: what was chosen.
        models: that gave the rewards.
        python: the lines that give the numbers again.
        notes: what a reader must know.
    """

    title: str
    tables: Mapping[str, pd.DataFrame]
    options: Mapping[str, object]
    models: tuple[str, ...]
    python: str
    notes: tuple[str, ...] = field(default_factory=tuple)


def take_along(taken: Taken | None) -> None:
    """Draws the bar; nothing while the tab has no result."""
    if taken is None:
        return
    results_bar(
        kind=NAME,
        title=taken.title,
        tables=taken.tables,
        options=taken.options,
        models=taken.models,
        python=taken.python,
        notes=taken.notes,
    )


def implicit_python(source: str) -> str:
    """Lines for the length effect; `source` makes `responses`."""
    return "\n".join(
        [
            "import numpy as np",
            "import pandas as pd",
            "",
            "from core.labs.implicit.length import length_report",
            "",
            source,
            "report = length_report(responses, rng=np.random.default_rng(0))",
            "for effect in report.effects:",
            "    print(effect.rule, effect.accuracy, effect.per_token)",
        ]
    )


RECORDED_RESPONSES = """from core.paths import data_folder
from core.labs.implicit.length import responses_of

pairs = pd.read_csv(data_folder() / "adapters" / "{model}" / "held_out.csv")
responses = responses_of(pairs)"""


def process_python(model: str, n: int) -> str:
    """Lines for the chains with a planted error."""
    return "\n".join(
        [
            "import numpy as np",
            "import pandas as pd",
            "",
            "from core.engine.service import get_service",
            "from core.labs.process.benchmark import first_errors, ranking_by_aggregate",
            "from core.labs.process.planted import planted_solutions",
            "from core.schema import make_conversation",
            "",
            f"n = {n}",
            "solutions = planted_solutions(n, rng=np.random.default_rng(0))",
            f"model = get_service().model({model!r})",
            r'joiner = model.part.separator or "\n"',
            "rows = []",
            "for each in solutions:",
            "    told = make_conversation(each.prompt, joiner.join(each.steps))",
            "    scores = model.step_rewards([told])[0].scores",
            '    row = {"problem_id": each.problem_id, "scores": scores, "label": each.label}',
            "    rows.append(row)",
            "table = pd.DataFrame(rows)",
            "rng = np.random.default_rng(0)",
            "found = first_errors(table, rng=rng)",
            "print(found.threshold, found.f1, found.on_erroneous, found.on_correct)",
            "print(ranking_by_aggregate(table, rng=rng))",
        ]
    )


def own_solutions_python(source: str, threshold: float | None) -> str:
    """Lines for first errors in a file's solutions; `source` makes `table`."""
    given = "" if threshold is None else f", threshold={threshold!r}"
    return "\n".join(
        [
            "import numpy as np",
            "",
            "from core.labs.process.benchmark import first_errors, ranking_by_aggregate",
            "",
            source,
            "rng = np.random.default_rng(0)",
            f"found = first_errors(table, rng=rng{given})",
            "print(found.threshold, found.f1, found.on_erroneous, found.on_correct)",
            "print(ranking_by_aggregate(table, rng=rng))",
        ]
    )


def rubric_python(
    model: str,
    scalar: str,
    n: int,
    reading: str,
    weights: Mapping[str, float],
    pitfalls: str,
    own: RubricPart | None = None,
) -> str:
    """Lines for the rank shift on held-out authored prompts."""
    own_rubric = []
    if own is not None:
        told = pformat(own.model_dump(mode="json"), width=96, sort_dicts=False)
        own_rubric = [
            "from core.models.card import RubricPart",
            f"model = model.with_rubric(RubricPart.model_validate({told}))",
        ]
    explicit = [
        "from core.labs.rubric.aggregation import Weighing, explicit_rewards",
        f"weights = {dict(weights)!r}",
        "pits = model.weighing.is_pitfall",
        "values = np.array(list(weights.values()))",
        f"weighing = Weighing(tuple(weights), values, pits, {pitfalls!r})",
        "rewards = explicit_rewards([each.yes for each in readings], weighing)",
    ]
    return "\n".join(
        [
            "import numpy as np",
            "",
            "from core.engine.service import get_service",
            "from core.labs.rubric.ranks import rank_shift",
            "from core.schema import make_conversation",
            "from core.training.preferences import read_preferences, split_prompts",
            "",
            "prompts = split_prompts(read_preferences()).held_out",
            f"picked = sorted(np.random.default_rng(0).permutation(len(prompts))[:{n}])",
            "rows = [",
            "    (prompts[i], text)",
            "    for i in picked",
            "    for text in (prompts[i].good, *(each.response for each in prompts[i].flawed))",
            "]",
            "texts = [make_conversation(prompt.prompt, text) for prompt, text in rows]",
            f"model = get_service().model({model!r})",
            *own_rubric,
            "readings = model.read(texts)",
            *(
                ["rewards = [each.score for each in readings]"]
                if reading == "implicit"
                else explicit
            ),
            f"scalar = get_service().score({scalar!r}, texts).sort_values('index')['reward']",
            "rng = np.random.default_rng(0)",
            "ids = [prompt.id for prompt, _ in rows]",
            "shift = rank_shift(ids, scalar, rewards, rng=rng, n_resamples=1_000)",
            "print(shift.kendall, shift.spearman, shift.same_best)",
        ]
    )
