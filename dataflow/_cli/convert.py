"""``dataflow-loader convert SRC DST``."""

from __future__ import annotations

import argparse
from typing import Any

from .._storage.atomic import refuse_existing
from .._storage.source import components
from .files import kind_by_name, open_stored, save_as

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("convert", help="convert between LMDB, npz, HDF5 and TFRecord files")
    parser.add_argument("src", metavar="SRC", help="the file to read; its content tells the format")
    parser.add_argument(
        "dst", metavar="DST", help="the file to make; the suffix tells the format: .lmdb .npz .h5 .tfrecord"
    )
    parser.add_argument("--paths", help="for HDF5, the datasets in the order of the components: a,b,c")
    parser.add_argument(
        "--allow-pickle", action="store_true", help="run pickles in SRC: only if you trust it"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Convert a file."""
    kind = kind_by_name(args.dst)
    if kind != "LMDB":  # which may go into a directory that is there
        refuse_existing(args.dst)
    paths = args.paths.split(",") if args.paths else None
    source = open_stored(args.src, args.allow_pickle or None, None if kind == "HDF5" else paths)
    if kind == "HDF5":
        paths = paths or source.names or _names(source.first(1))
    save_as(kind, source.flow, args.dst, paths or [])


def _names(dps: list[Any]) -> list[str]:
    """Return names for the components of datapoints: their keys, or component_0 and so on."""
    if not dps:
        raise ValueError("there are no datapoints to take the paths from: give --paths")
    return [key if isinstance(key, str) else f"component_{key}" for key, _ in components(dps[0])]
