"""Encryption and authentication: CURVE, which ZeroMQ has built in.

One end is the CURVE server: it has a secret key, and a list of the clients it lets in. The other has the
server's public key and a secret key of its own. Which end binds its socket does not matter.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from .._core.describe import type_in_words
from .._core.optional import require

_KEY_LENGTH = 40  # characters in Z85, for 32 bytes


@dataclass(frozen=True)
class Curve:
    """The keys of one end, in Z85. ``client_keys`` is None in a client."""

    secret: bytes = field(repr=False)
    server: bytes = b""
    client_keys: frozenset[bytes] | None = None

    def apply(self, socket: Any) -> None:
        """Encrypt and authenticate a socket. Call it before the socket is bound or connected."""
        socket.curve_secretkey = self.secret
        if self.client_keys is None:
            socket.curve_publickey = require("zmq", None).curve_public(self.secret)
            socket.curve_serverkey = self.server
        else:
            socket.curve_server = True
            # without these, clients would be let in unchecked while no authenticator runs
            socket.zap_domain = b"dataflow"
            socket.zap_enforce_domain = True


def curve_of(
    server_secretkey: str | bytes | None,
    client_keys: Collection[str | bytes] | None,
    server_publickey: str | bytes | None,
    client_secretkey: str | bytes | None,
) -> Curve | None:
    """Return the keys that were given, None if none were.

    Raises:
        ValueError: they don't go together, or one is not a key.
        TypeError: one is neither str nor bytes.
        RuntimeError: the installed ZeroMQ can't encrypt.
    """
    keys = server_secretkey, client_keys, server_publickey, client_secretkey
    given = [key is not None for key in keys]
    if not any(given):
        return None
    if given not in ([True, True, False, False], [False, False, True, True]):
        raise ValueError(
            "encryption needs either server_secretkey and client_keys, at one end, or server_publickey and "
            "client_secretkey, at the other"
        )
    if not require("zmq", None).has("curve"):
        raise RuntimeError(
            "this ZeroMQ was built without CURVE, so it can't encrypt: install pyzmq from a wheel"
        )
    if server_secretkey is not None and client_keys is not None:
        if isinstance(client_keys, str | bytes):
            raise TypeError("client_keys: expected a list of public keys, got a single one")
        allowed = frozenset(_key(key, "client_keys") for key in client_keys)
        return Curve(_key(server_secretkey, "server_secretkey"), client_keys=allowed)
    return Curve(
        _key(client_secretkey, "client_secretkey"), server=_key(server_publickey, "server_publickey")
    )


def _key(key: Any, what: str) -> bytes:
    """Return a key as bytes. Error messages don't show it, because it may be secret."""
    if not isinstance(key, str | bytes):
        raise TypeError(f"{what}: expected a key as str or bytes, got {type_in_words(key)}")
    try:
        data = key.encode("ascii") if isinstance(key, str) else key
        if len(data) != _KEY_LENGTH or len(require("zmq.utils.z85", None).decode(data)) != 32:
            raise ValueError
    except (ValueError, KeyError, struct.error) as e:
        raise ValueError(
            f"{what}: expected a key of {_KEY_LENGTH} characters as zmq.curve_keypair() makes them, got "
            f"{len(key)} characters"
        ) from e
    return data
