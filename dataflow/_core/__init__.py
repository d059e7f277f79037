"""Helpers that every other room uses. Nothing here imports the rest of the package.

- ``errors``: the named errors
- ``checks``: checks of constructor arguments
- ``describe``: how dataflows, augmentors, datapoints and types are shown in reprs and messages
- ``random_state``: a stream of random numbers for each object and worker
- ``global_streams``: seeds of ``np.random``, ``random`` and torch for each worker
- ``lease``: reuse of memory that no array refers to any more
- ``sources``: iterables that need help to be sources
- ``global_streams``: ``np.random`` and the like in workers
- ``optional``: import of optional libraries at first use
"""
