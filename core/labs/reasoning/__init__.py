"""Can reward models benefit from reasoning before scoring? What many written judgements add up to.

`judgements` checks tables, `ballots` makes votes of them, `voting` and `curves` count k of K,
`orders` compares the two orders, `adaptive` and `score_stops` stop early, `tournaments` and
`brackets` rank several candidates by comparisons, `budget` sets judgements against a scalar reward
model. Methods:
RM-R1 (arXiv 2505.02387), Reward Reasoning Model (2505.14674), DeepSeek-GRM (2504.02495) and J1
(2505.10320).
"""
