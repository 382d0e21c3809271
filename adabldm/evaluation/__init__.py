"""Does it help? Figures of a detector on real defects, each as the field defines it.

Offers ``scoring`` (all figures of a detector's score maps), ``tested`` (the pictures that a data
set tests on), ``map_folder`` (score maps as files) and ``centre_lines`` (clDice).
"""
