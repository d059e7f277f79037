"""Decoding of image files, for ``dataflow.image``.

- ``decode``: image files, no more of them than an augmentor needs
- ``jpeg``: the header of a JPEG file
"""
