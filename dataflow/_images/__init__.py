"""Decode image files, for ``dataflow.image``.

- ``decode``: decode an image file, or only the part that an augmentor needs
- ``jpeg``: read the header of a JPEG file
"""
