"""Bins of an attribute: at most so many, ties together, and what became of each value reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from core.errors import AttributeDefinitionError

NO_BIN: Final = -1
"""The bin of a value that is in none."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Binning:
    """Which bin each value fell into.

    Attributes:
        bins: (n,) the bin of each value, from 0 in rising order, or `NO_BIN`.
        titles: (m,) the values a bin holds, in words ("3", "4 to 17", "under 10").
        counts: (m,) how many values each holds; none is empty.
        n_asked: how many bins were asked for.
        left_out: values without a bin, by reason.
        notes: what a reader has to know: fewer bins than asked for and why.
    """

    bins: IntArray
    titles: tuple[str, ...]
    counts: tuple[int, ...]
    n_asked: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of bins that hold values."""
        return len(self.titles)


def bin_by_quantiles(values: npt.ArrayLike, n_bins: int) -> Binning:
    """At most `n_bins` bins with about as many values each; equal values are never parted.

    From the smallest value up, a bin is closed once it holds its share of the values that are
    left. So a value that most texts have (no list item at all) fills one bin by itself and the
    others share the rest, where cutting at quantiles would leave one bin.

    Args:
        values: (n,) the attribute; NaN and infinite values get no bin.
        n_bins: the most bins, at least 1.

    Raises:
        AttributeDefinitionError: `n_bins` is less than 1 or the values are no list of numbers.
    """
    numbers, finite, left_out = _checked(values)
    if n_bins < 1:
        raise AttributeDefinitionError(f"{n_bins} bins cannot be made.", fix="Ask for 1 or more.")
    distinct, inverse, counts = np.unique(numbers[finite], return_inverse=True, return_counts=True)
    bin_of_distinct = _filled_evenly(counts, n_bins)
    bins = np.full(len(numbers), NO_BIN, dtype=np.int64)
    bins[finite] = bin_of_distinct[inverse]
    n_made = int(bin_of_distinct[-1]) + 1 if len(distinct) else 0
    titles = []
    for at in range(n_made):
        held = distinct[bin_of_distinct == at]
        titles.append(
            _spelt(held[0]) if len(held) == 1 else f"{_spelt(held[0])} to {_spelt(held[-1])}"
        )
    notes = []
    if n_made < n_bins:
        notes.append(
            f"{n_made} of {n_bins} bins: there are {len(distinct)} different values, and equal "
            "values stay together."
        )
    return Binning(bins, tuple(titles), _counted(bins, n_made), n_bins, left_out, tuple(notes))


def _filled_evenly(counts: IntArray, n_bins: int) -> IntArray:
    """The bin of each distinct value, given how often each occurs."""
    bins = np.zeros(len(counts), dtype=np.int64)
    at, held = 0, 0
    left, bins_left = int(counts.sum()), n_bins
    for position, count in enumerate(counts):
        share = left / bins_left
        # Closes before this value where that comes nearer to an even share than after it.
        overshoots = held + count - share > share - held
        must_part = len(counts) - position <= bins_left - 1
        if held and bins_left > 1 and (held >= share or overshoots or must_part):
            left -= held
            bins_left -= 1
            at, held = at + 1, 0
        bins[position] = at
        held += int(count)
    return bins


def bin_by_edges(values: npt.ArrayLike, edges: Sequence[float]) -> Binning:
    """Bins between fixed edges, the lower edge included; below the first and from the last on.

    m edges make up to m + 1 bins, of which the empty ones are left out and reported.

    Args:
        values: (n,) the attribute; NaN and infinite values get no bin.
        edges: rising numbers.

    Raises:
        AttributeDefinitionError: the edges are none, not finite or do not rise.
    """
    numbers, finite, left_out = _checked(values)
    limits = np.asarray(list(edges), dtype=np.float64)
    if limits.size == 0 or not np.all(np.isfinite(limits)) or np.any(np.diff(limits) <= 0):
        raise AttributeDefinitionError(
            f"The edges {list(edges)} do not rise.", fix="Give one or more rising numbers."
        )
    placed = np.searchsorted(limits, numbers[finite], side="right")
    occupied, renumbered = np.unique(placed, return_inverse=True)
    bins = np.full(len(numbers), NO_BIN, dtype=np.int64)
    bins[finite] = renumbered
    titles = [
        f"under {_spelt(limits[0])}",
        *(f"{_spelt(low)} to under {_spelt(high)}" for low, high in pairwise(limits)),
        f"{_spelt(limits[-1])} and more",
    ]
    empty = [title for at, title in enumerate(titles) if at not in set(occupied.tolist())]
    notes = (f"No value in: {', '.join(empty)}.",) if empty else ()
    return Binning(
        bins,
        tuple(titles[at] for at in occupied),
        _counted(bins, len(occupied)),
        len(titles),
        left_out,
        notes,
    )


def _checked(
    values: npt.ArrayLike,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], dict[str, int]]:
    """The values as numbers, which are finite, and how many are not."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise AttributeDefinitionError(f"The values to bin are no numbers: {error}.") from error
    if numbers.ndim != 1:
        raise AttributeDefinitionError(f"Expected a list of values, found shape {numbers.shape}.")
    finite = np.isfinite(numbers)
    missing = int((~finite).sum())
    return numbers, finite, {"no number": missing} if missing else {}


def _counted(bins: IntArray, n_bins: int) -> tuple[int, ...]:
    counts = np.bincount(bins[bins >= 0], minlength=n_bins)
    return tuple(int(count) for count in counts)


def _spelt(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"
