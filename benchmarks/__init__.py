"""How fast the workbench is, always as a ratio to a named peer measured in the same run."""
