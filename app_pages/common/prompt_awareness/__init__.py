"""The parts of the prompt awareness page, one module a tab, and what the tabs share.

- `setup`: what the visitor chose; `results`: what was run with it; `words`: numbers as sentences.
- `live_view`, `swaps_view`, `matrix_view`, `parts_view`, `ablations_view`, `board_view`: the tabs.
"""
