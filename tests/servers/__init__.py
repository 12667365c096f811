"""Servers of each engine's protocol, run in the test's own process, that can also misbehave."""
