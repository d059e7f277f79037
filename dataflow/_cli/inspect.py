"""``dataflow-loader inspect PATH``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import numpy as np

from .._core.describe import printable
from .._core.optional import require
from .._flows.print import describe_datapoint
from .._storage.source import components, human_size
from ..utils.serialize import dumps
from .files import Stored, open_stored
from .images import draw_grid

__all__ = ["add"]

_LIMIT = 1000


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("inspect", help="show what is in an LMDB, npz, HDF5 or TFRecord file")
    parser.add_argument("path", metavar="PATH", help="the file, or the directory of an LMDB database")
    parser.add_argument("--images", metavar="OUT.png", help="draw the first images into this file")
    parser.add_argument("--paths", help="for HDF5, the datasets to look at: a,b,c; default: all")
    parser.add_argument(
        "--limit", type=int, default=_LIMIT, help=f"how many datapoints to take sizes from; default: {_LIMIT}"
    )
    parser.add_argument(
        "--allow-pickle", action="store_true", help="run pickles in the file: only if you trust it"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Show what is in a file."""
    paths = args.paths.split(",") if args.paths else None
    stored = open_stored(args.path, args.allow_pickle or None, paths)
    count = stored.count()
    print(f"{args.path}: {stored.kind}, {human_size(_size(args.path))}")
    print(f"datapoints: {count}")
    print(f"encoding: {stored.encoding}")
    dps = stored.first(max(1, args.limit))
    if dps:
        print(printable("\ndatapoint 0 " + "\n".join(describe_datapoint(dps[0])) + "\n"))
        print(f"sizes in bytes of the first {len(dps)}:" if len(dps) < count else "sizes in bytes:")
        print(printable(_table(stored, dps)))
    if args.images:
        draw_grid(dps, args.images)
        print(f"images: {args.images}")


def _size(path: str) -> int:
    return os.path.getsize(os.path.join(path, "data.mdb") if os.path.isdir(path) else path)


def _table(stored: Stored, dps: list[Any]) -> str:
    sizes: dict[Any, list[int]] = {}
    types: dict[Any, dict[str, None]] = {}  # in the order of appearance
    for dp in dps:
        for key, value in components(dp) or [("-", dp)]:
            sizes.setdefault(key, []).append(_bytes(value))
            types.setdefault(key, {})[_type(value)] = None
    rows = [
        [
            stored.names[key] if stored.names else key,
            ", ".join(list(types[key])[:3]) + (", ..." if len(types[key]) > 3 else ""),
            min(found),
            sum(found) / len(found),
            max(found),
            sum(found),
        ]
        for key, found in sizes.items()
    ]
    headers = ["component", "types", "least", "mean", "most", "sum"]
    return str(require("tabulate", None).tabulate(rows, headers, floatfmt=".1f"))


def _type(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return type(value).__name__


def _bytes(value: Any) -> int:
    if isinstance(value, np.ndarray | np.generic):
        return value.nbytes
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    try:
        return len(dumps(value))
    except (TypeError, ValueError):  # of a pickle: there is no other size of it
        return sys.getsizeof(value)
