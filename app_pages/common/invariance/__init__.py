"""The parts of the counterfactual invariance page.

One tab a module (`battery_view`, `attributes_view`, `rates_view`, `heads_view`); `setup` holds the
choices above them, `results` what was run with them.
"""
