"""The checksum of a record, over everything that its file holds: a changed digit or name is noticed on reading."""

import hashlib
import json
from typing import Any

KEY = "checksum"


def checksum(content: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of a record's JSON with sorted keys and without blanks, except the checksum itself."""
    metadata = {key: value for key, value in content["metadata"].items() if key != KEY}
    return hashlib.sha256(_dumped({**content, "metadata": metadata})).hexdigest()


def sealed(content: dict[str, Any], **metadata: str) -> bytes:
    """Return a record's file with more metadata and with its checksum."""
    content = {**content, "metadata": {**content["metadata"], **metadata}}
    content["metadata"][KEY] = checksum(content)
    return _dumped(content) + b"\n"


def _dumped(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()  # as pyperf writes its files
