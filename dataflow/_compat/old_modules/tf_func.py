"""What once applied TensorFlow's functions to datapoints. The names can be imported, and raise when used."""

from __future__ import annotations

import importlib

__all__ = ["TFFuncMapper", "tf_aug"]

_library = importlib.import_module(__name__.partition(".")[0])
TFFuncMapper = _library.TFFuncMapper
tf_aug = _library.tf_aug
