"""Mutated inputs through every door that reads what people have: ``python -m tests.fuzz``.

An input is a function of (seed, number). Every door must take it or refuse it with one of its own
faults in a line, in bounded time and memory, and doors to the same thing must agree.
"""
