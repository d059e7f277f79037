"""What runners and mappers share, above the transport.

- ``jobs``: what workers do
- ``engines``: the one place where pools of workers are opened
- ``pool_owner``: a dataflow that has workers, from ``reset_state()`` to ``close()``
- ``mapper``: one that also reads a source for them
- ``dispatcher``: gives the datapoints of the source out as tasks, and takes the results in
- ``source_reader``: the thread that reads the source ahead; ``callers_context``: what it has of its caller
"""
