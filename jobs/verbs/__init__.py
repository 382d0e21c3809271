"""One thin module a verb of the command line: options, one call, one closing line.

Offers each verb's ``main``; options that verbs share are in ``dataset_options``, ``plan_options``.
"""
