"""The pages of the workbench, one folder a section; each is a thin file over `core`."""
