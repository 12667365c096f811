"""The parts of the tool errors page, one module a tab, and what the tabs share.

- `setup`: which rollouts, how they are read, and their penalties.
- `rates_view`, `inspector_view`, `weights_view`, `no_tool_view`: the tabs.
- `claim`: what the paper reports; `python_view`: the lines that give the numbers again.
"""
