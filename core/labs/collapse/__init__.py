"""Does the diversity that training on outcomes costs spread to problems it never solved?

- `counts`: rollouts as counts of answers, which everything else works from.
- `coverage`: what was ever solved and ever answered, at equal budget beside the base model.
- `at_k`: unbiased pass@k and rarefied distinct@k, entropy and majority share.
- `classes`: solved, collapsed, lost, still diverse; and who moves where between windows of steps.
- `flags`: reward up while pass@k goes down.
- `spread`: difference in differences on the problems that never had a right sample.
- `bonus`: exploration bonuses, the formulas; `explorer`: the same on recorded groups.
- `analysis`: all of it from one rollout table.
"""
