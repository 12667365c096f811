"""The parts of the diversity page."""
