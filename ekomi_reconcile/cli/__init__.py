"""The command line: one small file per command, which parses, calls, renders and returns an exit code."""
