"""Why does self-rewarding training collapse? Pairs, their gaps, what DPO makes of them, the judge.

`pairs` builds pairs by the classic and the temporal rule; `generations` reads recorded samples and
alters their scores; `iterations` measures pairs over iterations, and `bound` holds the bound on
their gradient against measured ones; `drift` holds the judge against a reward model that took no
part; `audit` reads any set of preference pairs with the same measures.
"""
