"""The parts of the self-rewarding page, one module a view, and what they share.

- `setup`: which runs; `work`: what is computed of them in the background.
- `overview_view`, `builder_view`, `drift_view`: the tabs; `audit_view`: a preference set.
- `parts`: sentences and pairs as they are drawn; `claim`: what the paper reports; `python_view`:
  the lines that give the numbers again.
"""
