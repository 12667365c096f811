"""Labs: one module per question, pure functions on tables."""
