"""The proxies that ``dataflow.common`` names: small classes around another dataflow, one file for each kind.

- ``batch``; ``stack`` makes the arrays
- ``cache``, ``map``, ``print``, ``repeat``, ``shuffle``, ``speed``
- ``combine``: concatenate, join, mix, choose
- ``stateful``: the base of those that carry state from one pass to the next
"""
