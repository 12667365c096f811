"""Rollouts of training runs: recorded ones of the package, and those of a user's own training."""
