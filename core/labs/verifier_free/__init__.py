"""Can reasoning improve without answer verification? One module a part.

- `tables`: checks the table all parts are functions of, one row a trace and wording.
- `aggregates`: from the reference's token probabilities to one number.
- `debias`: the gain over no reasoning, shaped, with the weight of the format.
- `filter`: prompts whose rewards hardly differ, with the moving average of the code.
- `rewards`: VeriFree, RLPR and NOVER on the same group, with advantages.
- `quality`: ROC and area against correctness; rank correlation with length and entropy.
- `paraphrase`: the same answer in other words.
- `estimator`: variance of a likelihood against a sampled answer.

Source of the methods: VeriFree (arXiv 2505.21493), RLPR (2506.18254), NOVER (2505.16022).
"""
