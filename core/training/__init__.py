"""How the embedded reward models were made, and how to make one's own."""
