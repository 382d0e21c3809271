"""The networks of a model and the files that they are read from.

Offers ``autoencoder``, ``small`` and ``sd15`` (architectures), ``formats``, ``ldm_checkpoint``,
``embedded``.
"""
