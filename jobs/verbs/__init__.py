"""One thin module a verb of the command line: options, one call, one closing line."""
