"""Recorded training runs: a policy of under a million parameters, trained on two cores.

`problems` and `calculator` have the tasks and their checks, `policy` the policy and its
pre-training, `sampling` and `tools` draw responses, `grpo` trains on them, `recipes` says which
runs there are, and `record` writes them down.
"""
