"""What runners and mappers share, above the transport.

- ``pool_owner``: a dataflow that has workers, from ``reset_state()`` to ``close()``
- ``source_reader``: reads a mapper's source ahead, in a thread
- ``dispatch``: gives its datapoints out as tasks and takes the results in
"""
