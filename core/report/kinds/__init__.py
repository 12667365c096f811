"""How the runs of each kind are told: one module a kind, found here by their being here.

A module calls `core.report.register_report(kind, builder)` when it is imported. A kind without one
is told by `core.report.registry.all_tables`.
"""
