"""Other ways to make defects where a generated pair has one: what a generator has to beat."""
