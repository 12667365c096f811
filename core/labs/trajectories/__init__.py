"""Why do correct code trajectories teach models to tolerate errors? One module a view.

- `reading`: trajectories (counts, tagged text, chat messages) as counts of calls, errors, answers.
- `resample`: resample-on-correct, by the paper and by its code: penalties, counts, who is kept.
- `penalties`: rollouts with their penalties, in groups.
- `rates`: tool-error rates of right and wrong rollouts over training, mixed groups, length.
- `updates`: what an update would weigh before and after, and the chance to be kept.
- `no_tool`: right rollouts without a tool call against those with calls.

`read_trajectories(rollouts)`, then `penalise`, then any of the views.
"""
