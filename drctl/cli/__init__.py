"""The command line: one file per verb; each parses, calls the app, renders and returns an exit code."""
