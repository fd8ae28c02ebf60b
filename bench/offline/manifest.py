"""A packed checkout: the files of one commit without git, and a list of digests that shows whether one has changed."""

import hashlib
import json
from pathlib import Path
from typing import Any

FILE = "packed.json"


def write(root: Path, commit: str, **needs: str) -> None:
    """List the digest of every file below `root`; `needs` are the Python and the processor that it was packed for."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    content = {"commit": commit, **needs, "files": {name: _digest(root / name) for name in names}}
    (root / FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def commit(root: Path) -> str | None:
    """Return the commit that was packed, with "-modified" if a file has changed; None where `root` was not packed."""
    content, same = _read(root), unchanged(root)
    return content and f"{content['commit']}{'' if same == {*content['files']} else '-modified'}"


def unchanged(root: Path) -> set[str] | None:
    """Return the files that are as they were packed, relative to `root`; None where it was not packed."""
    content = _read(root)
    return content and {name for name, digest in content["files"].items() if _digest(root / name) == digest}


def _read(root: Path) -> Any:
    return json.loads((root / FILE).read_text(encoding="utf-8")) if (root / FILE).exists() else None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"
