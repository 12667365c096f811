"""What gives a reward: cards, loading, one module per family."""
