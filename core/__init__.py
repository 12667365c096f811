"""The analysis module of the reward workbench: everything that computes.

Nothing below this package imports Streamlit; the pages, the command line, notebooks and tests all
call the same functions. `ARCHITECTURE.md` says which room holds what.
"""

__version__ = "0.1.0"
