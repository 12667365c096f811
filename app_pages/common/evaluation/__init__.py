"""The parts of the Evaluate page: one module a question, and what they share."""
