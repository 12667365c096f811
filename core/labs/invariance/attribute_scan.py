"""Every attribute against the reward at once, with false-discovery control over the attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.labs.attributes import Attribute, attribute_table, bin_by_quantiles, extraction_problems
from core.labs.attributes.binning import NO_BIN
from core.labs.invariance import mmd
from core.labs.plan import CONVERSATION
from core.stats import false_discovery

KINDS = {"unconditional": False, "conditional": True}
"""Name of each test, and whether chosen and rejected responses are kept apart in it."""


@dataclass(frozen=True)
class ScanOptions:
    """How attributes are tested.

    Attributes:
        n_bins: bins of an attribute at most; equal values are never parted.
        fewest_members: bins with fewer responses are left out: what two or three responses say of
            a bin is chance.
        n_permutations: arrangements of each test.
        level: of the false-discovery rate.
        seed: of the permutations.
    """

    n_bins: int = 3
    fewest_members: int = 5
    n_permutations: int = 2_000
    level: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class ScanResult:
    """What each attribute has to do with the reward.

    Attributes:
        options: as given.
        table: one row an attribute and kind of test: `attribute, title, kind, n, n_prompts, n_bins,
            mmd, low, high, p_value, p_adjusted` (Benjamini-Hochberg over the attributes of a kind),
            `depends` (corrected p at most the level; missing where nothing could be compared),
            `note`.
        problems: why values could not be read off, by attribute and reason.
    """

    options: ScanOptions
    table: pd.DataFrame
    problems: Mapping[str, Mapping[str, int]]


def response_values(scored: pd.DataFrame, attributes: Sequence[Attribute]) -> pd.DataFrame:
    """(rows, attributes) values of the responses of a plan's conversations."""
    texts = [conversation[-1]["content"] for conversation in scored[CONVERSATION]]
    return attribute_table(texts, attributes)


def bin_labels(values: npt.ArrayLike, n_bins: int) -> tuple[pd.Series, tuple[str, ...]]:
    """The bin of each value as an ordered categorical (missing for none), and what to know of them.

    Args:
        values: (n,) of an attribute.
        n_bins: bins at most.
    """
    binning = bin_by_quantiles(values, n_bins)
    # Titles can be equal where values are spelt short; numbers keep such bins apart.
    titles: list[str] = []
    for at, title in enumerate(binning.titles):
        titles.append(title if title not in titles else f"{title} ({at + 1})")
    names = [None if at == NO_BIN else titles[at] for at in binning.bins]
    dtype = pd.CategoricalDtype(titles, ordered=True)
    return pd.Series(names, dtype=dtype), binning.notes


def scan(
    scored: pd.DataFrame, attributes: Sequence[Attribute], options: ScanOptions | None = None
) -> ScanResult:
    """Tests for every attribute whether rewards depend on its bin.

    Args:
        scored: `core.labs.pairs.plan_pairs` with one model's rewards.
        attributes: which, no two of one name.
        options: how they are tested.

    Raises:
        TableError: a column is missing.
    """
    options = options or ScanOptions()
    values = response_values(scored, attributes)
    rows = [
        attribute_row(scored, each, values[each.name].to_numpy(), kind, options)
        for kind in KINDS
        for each in attributes
    ]
    return corrected(rows, values, options)


def corrected(
    rows: Sequence[Mapping[str, object]], values: pd.DataFrame, options: ScanOptions
) -> ScanResult:
    """Rows of single tests, corrected over the attributes of each kind.

    Args:
        rows: as `attribute_row` gives them.
        values: of the attributes, with what could not be read off.
        options: the level.
    """
    table = pd.DataFrame(rows)
    if len(table):
        table["p_adjusted"] = table.groupby("kind", sort=False)["p_value"].transform(
            lambda p_values: false_discovery(p_values.to_numpy())
        )
        depends = (table["p_adjusted"] <= options.level).astype("boolean")
        table["depends"] = depends.mask(table["p_adjusted"].isna())
    return ScanResult(options, table, extraction_problems(values))


def attribute_row(
    scored: pd.DataFrame,
    each: Attribute,
    values: npt.NDArray[np.float64],
    kind: str,
    options: ScanOptions,
) -> dict[str, object]:
    """The test of one attribute.

    Args:
        scored: pairs with one model's rewards; labels change places within its `prompt_id`.
        each: the attribute.
        values: (n,) of it.
        kind: a name in `KINDS`.
        options: how it is tested.
    """
    labels, notes = bin_labels(values, options.n_bins)
    found = mmd.run(
        scored,
        labels,
        mmd.MmdOptions(
            conditional=KINDS[kind],
            fewest_members=options.fewest_members,
            n_permutations=options.n_permutations,
            seed=options.seed,
        ),
    )
    n_bins = int(found.bins["used"].sum())
    return {
        "attribute": each.name,
        "title": each.title,
        "kind": kind,
        "n": found.test.n,
        "n_prompts": found.test.n_prompts,
        "n_bins": n_bins,
        "mmd": found.total.value,
        "low": found.total.low,
        "high": found.total.high,
        "p_value": found.test.p_value,
        "note": "" if np.isfinite(found.test.p_value) else _why_not(notes),
    }


def _why_not(notes: Sequence[str]) -> str:
    return notes[0] if notes else "fewer than two bins with enough responses"
