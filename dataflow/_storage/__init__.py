"""The file formats behind ``format`` and ``serialize``, a module each.

- ``atomic``: a file appears under its name only when it is complete
- ``source``: the datapoints that are saved, with a progress bar, and errors that name them
- ``reading``: what all readers share: the order of a pass, and errors that say where
- ``lmdb_file``, ``lmdb_keys``: LMDB databases, and their keys in little memory
- ``lmdb_data``, ``caffe``: the dataflows that read them
- ``hdf5_read``, ``hdf5_write``, ``npz``, ``tfrecord``, ``svmlight``, ``disk_cache``: the other formats
"""
