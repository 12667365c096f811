"""The lines of Python that give the page's numbers again."""

from app_pages.common.self_rewarding.audit_view import Audited
from app_pages.common.self_rewarding.setup import COLLECTION, PAIRS, Setup
from app_pages.common.self_rewarding.work import FEW_DRAWS, Building
from core.labs.self_rewarding.dpo import BETA


def runs_as_python(setup: Setup, built: Building | None, *, drifted: bool) -> str:
    """A script for what was computed of training runs.

    Args:
        setup: the runs.
        built: the builder's choices; None where nothing was built.
        drifted: whether the judge was held against the outside model.
    """
    sourced = "source" in setup.chosen.table.columns
    lines = [
        setup.chosen.python,
        "from core.labs.self_rewarding import drift, in_words, iterations",
        "from core.labs.self_rewarding.generations import (",
        "    Alteration, Generations, read_generations,",
        ")",
        "from core.labs.self_rewarding.iterations import PairRule, rebuild",
        "",
        *([] if sourced else ['rollouts["source"] = "Mi"  # all drawn by the model of their step']),
        "generations = read_generations(rollouts)",
        *_recorded(setup),
        "print(*in_words.gap_sentences(recorded.estimates, recorded.changes), sep='\\n')",
        "print(recorded.estimates)",
    ]
    if built is not None:
        lines += _built(built)
    if drifted:
        lines += [
            "",
            "judged = drift.run(generations.table)",
            "print(*in_words.drift_sentences(judged.estimates, judged.changes), sep='\\n')",
        ]
    return "\n".join(lines)


def _recorded(setup: Setup) -> list[str]:
    if setup.recorded is None:
        return [
            "before_updates = generations",
            f"recorded = rebuild(before_updates, PairRule(), n_draws={FEW_DRAWS})",
        ]
    return [
        "",
        "from core.rollouts.recorded import read_table",
        "",
        f"pairs = read_table({setup.chosen.collection or COLLECTION!r}, {PAIRS!r})",
        "pairs = pairs.astype({name: 'float64' for name in pairs.select_dtypes('float32')})",
        "updates = pairs[['run', 'iteration']].drop_duplicates()",
        "# The last samples come after the last update: no pair is made of them.",
        "before_updates = Generations(generations.table.merge(updates), generations.borrowed)",
        "problems = before_updates.table[['run', 'iteration', 'problem_id']].drop_duplicates()",
        f"recorded = iterations.run(pairs, problems=problems, beta={BETA})",
    ]


def _built(built: Building) -> list[str]:
    rule, change = built.rule, built.change
    embeds = ", embeddings=vectors" if built.embeds else ""
    return [
        "",
        *(
            [
                "from core.embeddings import default_embedder",
                "",
                "texts = [str(text) for text in before_updates.table['response'].fillna('')]",
                "vectors = default_embedder().embed(texts).vectors",
            ]
            if built.embeds
            else []
        ),
        "rebuilt = rebuild(",
        "    before_updates,",
        f"    {rule!r},",
        f"    {change!r}{embeds},",
        f"    n_draws={FEW_DRAWS},",
        ")",
        "print(rebuilt.estimates, rebuilt.slots, rebuilt.left_out, sep='\\n')",
    ]


def audit_as_python(audited: Audited) -> str:
    """A script for an audit: the same pairs, rewards, embeddings and options."""
    lines = [
        audited.chosen.python,
        "from core.labs.self_rewarding.audit import AuditOptions, audit",
        "from core.labs.self_rewarding.in_words import audit_sentences",
        "",
    ]
    if audited.embeds:
        lines += [
            "from core.embeddings import default_embedder",
            "",
            "sides = [list(pairs[side].astype(str)) for side in ('chosen', 'rejected')]",
            "vectors = [default_embedder().embed(texts).vectors for texts in sides]",
        ]
    if audited.model:
        lines += [
            "from core.engine.plans import score_conversations",
            "from core.engine.service import get_service",
            "from core.labs.pairs import pair_rewards, plan_pairs",
            "",
            "plan = plan_pairs(pairs)",
            f"found = score_conversations(get_service(), {audited.model!r}, plan.conversations())",
            "scored = pair_rewards(pairs, plan.scored(found['reward'], found['error']))",
            "rewards = (scored['reward_chosen'], scored['reward_rejected'])",
        ]
    elif audited.columns:
        chosen, rejected = audited.columns
        lines += [
            "import pandas as pd",
            "",
            f"names = ({chosen!r}, {rejected!r})",
            "rewards = tuple(pd.to_numeric(pairs[name], errors='coerce') for name in names)",
        ]
    rewards = "rewards" if audited.model or audited.columns else "None"
    lines += [
        f"options = {audited.options!r}",
        f"result = audit(pairs, rewards={rewards}, "
        f"embeddings={'vectors' if audited.embeds else 'None'}, options=options)",
        "print(*audit_sentences(result), sep='\\n')",
    ]
    return "\n".join(lines)
