"""The parts of ``dataflow.remote``: message formats, encryption, and sockets.

- ``wire``: how a datapoint becomes a message, and back
- ``curve``: encryption and authentication
- ``link``: the sockets of one end, opened and closed together
- ``watch``: the thread that logs failed handshakes and decides who may connect
"""
