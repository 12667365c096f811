"""One's own pairs in the three styles of RM-Bench, written by rule: the same matrix, any texts.

RM-Bench had a language model write its styles. Rules reach only part of that (see
`core.perturbations.styles`), so this is our reading: it says how far manner alone moves a model,
and its numbers are not RM-Bench's.
"""

from collections import Counter
from typing import Any

import pandas as pd

from core.labs.benchmarks.candidates import candidate, candidates_table
from core.labs.benchmarks.style_matrix import STYLES
from core.labs.pairs import SIDES
from core.perturbations.styles import style_variants


def styled_candidates(
    pairs: pd.DataFrame, *, subset: str | None = None, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Every response of the pairs in three styles, as a candidates table.

    Args:
        pairs: a table with `core.labs.pairs.PAIR_TEXT_COLUMNS`.
        subset: the column whose values are the parts that get a matrix each, or None.
        seed: decides which words without content are added.

    Returns:
        The table, six rows a pair, and the pairs of which a response could not be written in all
        three styles, counted by reason.
    """
    rows: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for record in pairs.to_dict(orient="records"):
        asked = _question(record["prompt"])
        texts = {side: _styles(str(record[side]), asked, seed) for side in SIDES}
        reason = next((text for text in texts.values() if isinstance(text, str)), "")
        if reason:
            left_out[reason] += 1
            continue
        rows += [
            candidate(
                str(record["pair_id"]),
                str(record["prompt_id"]),
                record["prompt"],
                text,
                side=side,
                place=place,
                subset="" if subset is None else str(record[subset]),
            )
            for side in SIDES
            for place, text in enumerate(texts[side])
        ]
    return candidates_table(rows), dict(left_out)


def _styles(text: str, prompt: str, seed: int) -> list[str] | str:
    """The text in each of `STYLES`, or why not."""
    variants = style_variants(text, prompt, seed)
    found = [variants.concise, variants.detailed, variants.markdown]
    written = [each for each in found if each is not None]
    if len(written) == len(STYLES):
        return written
    if not written:
        return "a response is empty or not in English, which the rules write"
    missing = [name for name, each in zip(STYLES, found, strict=True) if each is None]
    return f"a response could not be written in the style {missing[0]}"


def _question(prompt: list[dict[str, str]]) -> str:
    asked = [turn["content"] for turn in prompt if turn["role"] == "user"]
    return asked[-1] if asked else ""
