"""Can diversity optimisation improve quality? One module a view of the question.

- `classes`: which responses of a group say the same, and what the threshold does to that.
- `measures`: how diverse a group is: Vendi score, mean distance, distinct-n, distinct@k.
- `darling`: DARLING's reward of one group; `groups` runs it over a table; `traps` says where it
  misfires.
- `frontier`: quality against diversity over temperatures or methods.
- `pair_classifier`: a small trained judge of pairs, to hold the similarities against.
- `calibration`: each method against human labels; where its threshold comes from.
- `projection` lives outside (`core.projection`), as embeddings do (`core.embeddings`): they need
  models, and labs take arrays.
"""
