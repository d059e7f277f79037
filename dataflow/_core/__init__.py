"""What every other room stands on. Nothing here knows what a dataflow is.

- ``errors``: the named errors
- ``checks``: checks of constructor arguments
- ``describe``: how dataflows and augmentors print
- ``random_state``: a stream of random numbers for each object and worker
- ``lease``: memory that is used again when nothing refers to it
- ``optional``: libraries that are imported when first used
"""
