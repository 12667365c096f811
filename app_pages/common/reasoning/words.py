"""What the numbers say, in plain sentences made of them."""

import math

import pandas as pd

from core.labs.reasoning.ballots import Ballots
from core.labs.reasoning.curves import Dependence, VotingCurves, effective_votes
from core.labs.reasoning.orders import OrderSwaps
from core.labs.reasoning.voting import Aggregation
from core.stats import Estimate


def interval(estimate: Estimate, *, signed: bool = False, digits: int = 3) -> str:
    """A value with its interval, or that it has none."""
    if not math.isfinite(estimate.value):
        return "no value"
    sign = "+" if signed else ""
    value = f"{estimate.value:{sign}.{digits}f}"
    if not math.isfinite(estimate.low):
        return f"{value} (no interval)"
    return (
        f"{value} ({estimate.confidence:.0%} interval {estimate.low:{sign}.{digits}f} to "
        f"{estimate.high:{sign}.{digits}f})"
    )


def written_words(tokens: pd.Series) -> str:
    """How much was written, as far as it is known."""
    n_unknown = int(tokens.isna().sum())
    if n_unknown == len(tokens):
        return "number of tokens unknown: the server does not report it"
    told = f"{int(tokens.sum()):,} tokens"
    return f"{told} and {n_unknown:,} texts whose tokens are unknown" if n_unknown else told


def unknown_cost(ballots: Ballots) -> str:
    """Of how many votes it is not known how much was written, and what becomes of them."""
    told = (
        f"How much was written is unknown for {ballots.n_uncounted:,} of {ballots.n_votes:,} votes "
        "(their server does not report it, or the file does not say)"
    )
    if not ballots.has_tokens:
        return f"{told}, so no cost in tokens is told."
    return f"{told}; what is told in tokens rests on the others."


def p_value(p: float) -> str:
    """A p-value in words, never zero."""
    if not math.isfinite(p):
        return "no p-value"
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def voting_words(curves: VotingCurves, aggregation: Aggregation) -> str:
    """Whether voting helps."""
    k, gain, test = curves.ks[-1], curves.gain[aggregation], curves.tests[aggregation]
    first, last = curves.at(aggregation, 1), curves.at(aggregation, k)
    if k == 1:
        return f"**There is one vote an item, so there is nothing to add up.** It is right in " \
               f"{first['value']:.1%} of {gain.n:,} items."  # fmt: skip
    if math.isfinite(gain.low) and gain.low > 0:
        verdict = "**Voting helps here.**"
    elif math.isfinite(gain.high) and gain.high < 0:
        verdict = "**Voting makes this judge worse.**"
    else:
        verdict = "**These judgements do not show that voting helps.**"
    said = (
        f"{verdict} One judgement earns {first['value']:.3f}, {k} together {last['value']:.3f}: "
        f"a gain of {interval(gain, signed=True)}, {p_value(test.p_value)}, {gain.n:,} items."
    )
    smallest = curves.detectable[aggregation]
    if math.isfinite(smallest) and smallest > 0 and not (gain.low > 0 or gain.high < 0):
        said += f" A gain under {smallest:.3f} would mostly have gone unseen."
    return said


def dependence_words(found: Dependence, k: int) -> str:
    """What correlation leaves of k votes."""
    rho = found.correlation
    if not math.isfinite(rho.value):
        return "How alike judgements of one item are cannot be told from these votes."
    worth = effective_votes(k, max(0.0, rho.value))
    if math.isfinite(rho.low) and rho.low > 0:
        said = (
            f"Judgements of one item are right or wrong together (correlation "
            f"{interval(rho, signed=True)}), so {k} of them are worth {worth:.1f} independent ones "
            "as an average."
        )
    elif math.isfinite(rho.high) and rho.high < 0:
        said = (
            f"Judgements of one item disagree more than chance would have it (correlation "
            f"{interval(rho, signed=True)}), as where the order decides."
        )
    else:
        said = (
            f"No correlation of judgements of one item is shown ({interval(rho, signed=True)}); "
            f"with the value found, {k} of them are worth {worth:.1f} independent ones."
        )
    return (
        f"{said} The wrong response leads in a share of {interval(found.below_half, digits=2)} of "
        f"the {found.below_half.n:,} items. Were the recorded shares of votes the true ones, more "
        "votes would make these worse, and with endlessly many a share of "
        f"{interval(found.ceiling, digits=2)} would be right."
    )


def order_words(found: OrderSwaps) -> str:
    """Whether the place decides."""
    bias = found.bias
    if not math.isfinite(bias.value):
        return "**No verdict names a winner in both orders.**"
    if math.isfinite(bias.low) and bias.low > 0:
        verdict = "**This judge prefers what it is shown first.**"
    elif math.isfinite(bias.high) and bias.high < 0:
        verdict = "**This judge prefers what it is shown second.**"
    else:
        verdict = "**No preference for a place is shown.**"
    return (
        f"{verdict} The first wins with {bias.value + 0.5:.1%}, "
        f"{interval(bias, signed=True)} from one half. Of verdicts that name a "
        f"winner in both orders {found.flip_rate.value:.1%} flip. Means over {bias.n:,} and "
        f"{found.flip_rate.n:,} items."
    )


def consistent_words(found: OrderSwaps) -> str:
    """Right in both orders, against independence."""
    if not found.both.n:
        return "No item has a known winner, so nothing can be right or wrong."
    return (
        f"Right in both orders: {interval(found.both)}, and "
        f"{interval(found.both_named)} where both verdicts name a winner; the product of the "
        f"accuracies of the two orders ({found.accuracy_own.value:.3f} and "
        f"{found.accuracy_swapped.value:.3f}), which independence over all items "
        f"would give, is {found.independent:.3f}."
    )


def difference_words(difference: Estimate, n_better: int, n_subsets: int) -> str:
    """Whether the judge beats the scalar model."""
    if not difference.n:
        return "**No item has both a verdict and rewards.**"
    if math.isfinite(difference.low) and difference.low > 0:
        verdict = "**The judge is right more often than the scalar model on these items.**"
    elif math.isfinite(difference.high) and difference.high < 0:
        verdict = "**The scalar model is right more often than the judge on these items.**"
    else:
        verdict = "**These items do not tell the two apart.**"
    return (
        f"{verdict} Judge minus scalar {interval(difference, signed=True)}, "
        f"{difference.n:,} items; the judge is ahead in {n_better} of {n_subsets} subsets."
    )
