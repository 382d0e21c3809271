"""What people start: the command line, sheets to look at, the embedded model's scripts, benches."""
