"""What only a machine with a GPU can show: the same pairs as on a CPU, and how quickly. Nothing
imports this.
"""
