"""A machine's files as a folder on disk, for tools that read another system's: `lsmem --sysroot FOLDER`."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

_MEMORY_BLOCK = re.compile(r"/sys/devices/system/memory/(memory\d+)/state")


def export_tree(files: Mapping[str, str], folder: str | os.PathLike[str]) -> None:
    """Write files (absolute path of the machine -> text) below folder, and the links between blocks and node.

    The folder is new or empty, its parent exists: FileExistsError, FileNotFoundError or NotADirectoryError
    otherwise, and ValueError for a path that is not absolute. What fails half way leaves nothing behind: the
    tree grows beside the folder and moves in when complete.
    """
    target = Path(folder).resolve()
    _check_target(target)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        tree = Path(scratch, "tree")
        tree.mkdir()
        for path, text in files.items():
            _place(tree, path).write_text(text, encoding="ascii", newline="\n")
        for path, to in node_links(files).items():
            _place(tree, path).symlink_to(to)
        target.mkdir(exist_ok=True)  # not replaced: it may be somebody's working directory
        for top in sorted(tree.iterdir()):
            top.rename(target / top.name)


def node_links(files: Mapping[str, str]) -> dict[str, str]:
    """The links between memory blocks and their node, here always node 0: link path -> target.

    Models drivers/base/node.c, do_register_memory_block_under_node (v5.10), which makes both directions.
    """
    blocks = [match[1] for path in files if (match := _MEMORY_BLOCK.fullmatch(path))]
    to_node = {f"/sys/devices/system/memory/{block}/node0": "../../node/node0" for block in blocks}
    return to_node | {f"/sys/devices/system/node/node0/{block}": f"../../memory/{block}" for block in blocks}


def _check_target(target: Path) -> None:
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no folder to export into", str(target.parent))
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "export needs a folder, this is a file", str(target))
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(errno.EEXIST, "not empty; export writes a new or an empty folder", str(target))


def _place(tree: Path, path: str) -> Path:
    """Where that path of the machine lies in the tree; makes the folders on the way."""
    pure = PurePosixPath(path)
    if not pure.name or not pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"not the absolute path of a file without '..': {path!r}")
    place = tree.joinpath(*pure.parts[1:])
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
