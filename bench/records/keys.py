"""Every metadata key of a record, as the tables of results/README.md have it: a new key is a new row there."""

import re

from bench.kernel import ROOT

README = ROOT / "results" / "README.md"
REQUIRED = {  # what every record of this project has
    "kind", "dataset", "dataset_digest", "image_pixels", "train_counts", "valid_counts", "cpu_model_name", "cpu_count",
    "caches",
}  # fmt: skip


def _tables() -> dict[str, list[str]]:
    """Return the keys of each table by its heading, such as "Of a kernel"."""
    _, _, text = README.read_text(encoding="utf-8").partition("\n## Metadata keys\n")
    parts = [part.partition("\n") for part in text.split("\n### ")[1:]]
    return {heading: re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) for heading, _, rows in parts}


TABLES = _tables()
NAMES = {name for names in TABLES.values() for name in names}
PER_KERNEL = tuple(name for heading, names in TABLES.items() if heading.startswith("Of a kernel") for name in names)
