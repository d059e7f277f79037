"""The proxies of ``dataflow.common``: small classes around another dataflow, one file for each kind.

- ``batch``; ``stack`` makes the arrays
- ``cache``: keep a whole pass in memory
- ``map``: apply a function, select components
- ``print``: print the first datapoints
- ``repeat``: repeat passes or datapoints, and passes of fixed size
- ``shuffle``: shuffle within a buffer
- ``speed``: measure datapoints per second
- ``combine``: concatenate, join, mix, choose
- ``stateful``: the base class of proxies that carry state from one pass to the next
"""
