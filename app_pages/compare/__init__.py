"""The Compare page and its parts, one module a tab."""
