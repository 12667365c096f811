"""Is a reward blind to what it should not see? Counterfactual invariance, measured and trained.

One technique a module: `battery` (edits with a stated meaning), `mmd` (rewards over the bins of
an attribute), `densities` and `dependence` (reward against an attribute), `rate` (effects by
rewriting), `linear_head` and `frontier` (a head trained to be invariant), `synthetic_bias` (a
planted flaw).
"""
