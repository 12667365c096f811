"""The battery response by response: which edits moved which reward the most."""

from collections.abc import Mapping

import pandas as pd

from core.labs.invariance.battery_plan import ORIGINAL
from core.labs.pairs import SIDE
from core.labs.plan import REWARD

CHANGE_COLUMNS = (
    "perturbation", "dose", "pair_id", "prompt_id", SIDE, "before", "after", "change", "note",
)  # fmt: skip


def changed_responses(scored: pd.DataFrame) -> pd.DataFrame:
    """One row an edit that was made and has both rewards: `CHANGE_COLUMNS`.

    Args:
        scored: the battery's plan with one model's rewards.

    Returns:
        `change` is `after` (the edited response's reward) minus `before`; in the plan's order.
    """
    is_original = scored["perturbation"].fillna(ORIGINAL) == ORIGINAL
    before = scored.loc[is_original].set_index(["pair_id", SIDE])[REWARD].rename("before")
    made = scored.loc[~is_original & scored["applied"].astype(bool)]
    table = made.join(before, on=["pair_id", SIDE]).rename(columns={REWARD: "after"})
    table = table.assign(change=table["after"] - table["before"])
    kept = table.loc[table["change"].notna(), list(CHANGE_COLUMNS)]
    return kept.reset_index(drop=True)


def largest_changes(
    changes: pd.DataFrame, perturbation: str, *, dose: int | None = None, most: int = 20
) -> pd.DataFrame:
    """The responses that one edit moved the most, either way, the largest change first.

    Args:
        changes: of `changed_responses`.
        perturbation: the edit.
        dose: one of its doses; None for all.
        most: rows at most.
    """
    rows = changes.loc[changes["perturbation"] == perturbation]
    if dose is not None:
        rows = rows.loc[rows["dose"] == dose]
    order = rows["change"].abs().sort_values(ascending=False, kind="stable").index
    return rows.loc[order].head(most).reset_index(drop=True)


def group_verdicts(effects: pd.DataFrame, group_titles: Mapping[str, str]) -> pd.DataFrame:
    """What a battery says of each group: how many of its edits did as they should.

    Args:
        effects: of `BatteryResult.effects`; only the dose that stands for each edit counts.
        group_titles: what the groups are called; decides their order.

    Returns:
        One row a group that has edits: `group, title, n_edits, n_as_it_should, n_not,
        n_cannot_say, n_not_applied, offenders` (titles of the edits that did not do as they should,
        the largest change in spreads first).
    """
    primary = effects.loc[effects["primary"]]
    rows = []
    for group, title in group_titles.items():
        own = primary.loc[primary["group"] == group]
        if own.empty:
            continue
        made = own.loc[own["n"] > 0]
        good = made["as_it_should"].fillna(False).astype(bool)
        unknown = made["as_it_should"].isna()
        bad = made.loc[~good & ~unknown]
        order = bad["in_spreads"].abs().sort_values(ascending=False, kind="stable").index
        rows.append(
            {
                "group": group,
                "title": title,
                "n_edits": len(own),
                "n_as_it_should": int(good.sum()),
                "n_not": len(bad),
                "n_cannot_say": int(unknown.sum()),
                "n_not_applied": len(own) - len(made),
                "offenders": "; ".join(str(name) for name in bad.loc[order, "title"]),
            }
        )
    return pd.DataFrame(rows)
