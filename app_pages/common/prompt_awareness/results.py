"""What was run with the visitor's choices, kept for the other tabs and for taking along."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import pandas as pd
import streamlit as st

from app_pages.common.lab_run import run_lab
from app_pages.common.prompt_awareness.setup import NAME, Setup
from core.labs.plan import CONVERSATION
from core.labs.prompt_awareness import ablations, leaderboard, matrix, swaps
from core.labs.prompt_awareness.ablations import AblationOptions, AblationResult
from core.labs.prompt_awareness.leaderboard import Evidence, Leaderboard, VerdictRules
from core.labs.prompt_awareness.matrix import MatrixOptions, MatrixResult
from core.labs.prompt_awareness.swaps import SwapResult
from core.labs.prompt_awareness.tables import Findings
from core.schema import Conversation, content_id

R = TypeVar("R")

RULES_KEY = f"{NAME}-rules"


@dataclass(frozen=True)
class Scored(Generic[R]):
    """Results by model, and the conversations that were scored for them, by their keys."""

    results: Mapping[str, R]
    conversations: Mapping[tuple[Hashable, ...], Conversation]


def run_swaps(setup: Setup) -> Scored[SwapResult] | None:
    """Pairs under other prompts: run controls, then the result."""
    options, pairs = setup.options, setup.chosen.pairs
    found = run_lab(
        f"{NAME}-swaps",
        setup.models,
        setup.inputs,
        plan=lambda: swaps.plan(pairs, options, pool=setup.pool()),
        result=lambda scored: _results(
            scored, swaps.PLAN_KEYS, lambda table: swaps.run(table, options)
        ),
    )
    return keep("swaps", content_id([setup.pairs_key, setup.inputs]), found)


def run_matrix(setup: Setup, options: MatrixOptions) -> Scored[MatrixResult] | None:
    """Every prompt with every response: run controls, then the result."""
    found = run_lab(
        f"{NAME}-matrix",
        setup.models,
        [setup.chosen.key, asdict(options)],
        plan=lambda: matrix.plan(setup.chosen.pairs, options),
        result=lambda scored: _results(
            scored, matrix.KEYS, lambda table: matrix.run(table, options)
        ),
    )
    return keep("matrix", setup.pairs_key, found)


def run_ablations(setup: Setup, options: AblationOptions) -> Scored[AblationResult] | None:
    """Questions removed and reasoning broken: run controls, then the result."""
    found = run_lab(
        f"{NAME}-ablations",
        setup.models,
        [setup.chosen.key, asdict(options)],
        plan=lambda: ablations.plan(setup.chosen.pairs, options),
        result=lambda scored: _results(
            scored, ("pair_id", "side", "ablation"), lambda table: ablations.run(table, options)
        ),
    )
    return keep("ablations", setup.pairs_key, found)


def _results(
    scored: Mapping[str, pd.DataFrame], keys: Sequence[str], run: Callable[[pd.DataFrame], R]
) -> Scored[R]:
    """Each model's result; the conversations are the same for all."""
    first = next(iter(scored.values()))
    names = first[list(keys)].itertuples(index=False, name=None)
    texts = dict(zip(names, first[CONVERSATION], strict=True))
    return Scored({model: run(table) for model, table in scored.items()}, texts)


def keep(part: str, key: str, value: R) -> R:
    """Remembers a part's latest result for these choices; None forgets it."""
    st.session_state[f"{NAME}-kept-{part}"] = (key, value)
    return value


def kept(part: str, key: str) -> Any:
    """A part's result, or None where these choices were not run."""
    known_key, value = st.session_state.get(f"{NAME}-kept-{part}", ("", None))
    return value if known_key == key else None


def swaps_key(setup: Setup) -> str:
    """Under which the swapped prompts of these choices, and what is made of them, are kept."""
    return content_id([setup.pairs_key, setup.inputs])


def rules() -> VerdictRules:
    """Where the words of a verdict begin; the visitor may move them."""
    low, high = st.session_state.get(RULES_KEY) or (0.5, 0.8)
    return VerdictRules(low, max(high, low + 0.01))


def board_of(setup: Setup, found: Scored[SwapResult], kind: str) -> Leaderboard:
    """The models side by side, with the matrix where it was run."""
    matrices = kept("matrix", setup.pairs_key)
    evidence = evidence_of(found, matrices)
    return leaderboard.run(evidence, kind=kind, rules=rules())


def evidence_of(
    found: Scored[SwapResult], matrices: Scored[MatrixResult] | None
) -> dict[str, Evidence]:
    """Each model's results together."""
    cells = matrices.results if matrices is not None else {}
    return {model: Evidence(result, cells.get(model)) for model, result in found.results.items()}


def findings(setup: Setup, kind: str) -> Findings:
    """All that was run with these choices, for the tables and the report."""
    found: Scored[SwapResult] | None = kept("swaps", swaps_key(setup))
    cells: Scored[MatrixResult] | None = kept("matrix", setup.pairs_key)
    changes: Scored[AblationResult] | None = kept("ablations", setup.pairs_key)
    return Findings(
        swaps=found.results if found else {},
        parts=kept("parts", swaps_key(setup)) or {},
        matrices=cells.results if cells else {},
        ablations=changes.results if changes else {},
        board=board_of(setup, found, kind) if found else None,
        weights=kept("weights", swaps_key(setup)) or {},
    )
