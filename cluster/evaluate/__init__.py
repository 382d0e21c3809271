"""Comparisons of what a detector learns from: trials as tasks, each finished one kept."""
