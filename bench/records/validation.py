"""What the values in a file of samples may be, ours or that of pytest --benchmark-json: somebody may have edited it."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.records.model import BadRecord
from bench.records.sample import Footprint, Sample

SCOPES, DISTANCES = ("mean", "predict", "baseline", "end_to_end", "first_call"), ("l1", "l2", "-")
POSITIVE = {
    "images", "loops", "cpu_count", "image_pixels", "per_class", "code_lines", "code_tokens", "loading_s",
    "expansion_full_bytes",
}  # fmt: skip
NUMBERS = POSITIVE | {
    "too_close_l1", "too_close_l2", "only_l1_right", "only_l2_right", "margin_l1", "margin_l2", "margin_change",
    "margin_change_low", "margin_change_high", "margin_change_level", "load_average", "overhead_s", "mean_error",
    "expansion_bytes", "expression_bytes_l1", "expression_bytes_l2",
}  # fmt: skip
SCORES = {"correct_l1", "correct_l2", "exact_l1", "exact_l2", "exact_signed"}
TEXTS = {  # key: what its text looks like
    **dict.fromkeys(SCORES, r"\d+/[1-9]\d*(, \d+/[1-9]\d*)*"),
    **dict.fromkeys(("train_counts", "valid_counts"), r"[1-9]\d*( [1-9]\d*)*"),
    "margin_change_by_class": r"[-+][\d.]+( [-+][\d.]+)*",
    "dataset_digest": r"\w+",
    "caches": r"\w.*",
    "cpu_model_name": r".+",
    "dataset": r"(?s:.+)",
    "reference": r"[\w@-]+",
}
TOGETHER = (  # a record has all of these, or none
    {"exact_l1", "exact_l2", "exact_signed", "only_l1_right", "only_l2_right",
     "margin_l1", "margin_l2", "margin_change"},
    {"margin_change_low", "margin_change_high", "margin_change_level"},
    {"per_class", "dataset_of"},
)  # fmt: skip
LEAST = {  # of a sample's fields; None is a text
    field.name: None if field.type is str else 1 if field.name in POSITIVE else 0 if field.type is int else -math.inf
    for field in fields(Sample)
}


def sample(path: Path, values: Mapping[str, Any], seconds: Any) -> Sample:
    """Return a sample of a file; raise BadRecord if one of its values is impossible."""
    if not _number(seconds) or seconds <= 0 or values["scope"] not in SCOPES or values["distance"] not in DISTANCES:
        what = f"{seconds} seconds in scope {values['scope']}, distance {values['distance']}"
        raise BadRecord(f"{path} has an impossible sample, {what}. Record again.")
    own = {name: values[name] for name in LEAST if name in values}
    for name, least in [(name, LEAST[name]) for name in own]:
        right = isinstance(own[name], str) and own[name] if least is None else _number(own[name], least)
        if not right:
            raise BadRecord(f"{path} has an impossible sample, {name} {own[name]!r}. Record again.")
    return Sample(**{**own, "seconds": seconds})


def footprint(path: Path, values: Mapping[str, Any]) -> Footprint:
    """Return a measurement of memory of a file; raise BadRecord if one of its values is impossible."""
    own = {field.name: values[field.name] for field in fields(Footprint) if field.name in values}
    right = own["scope"] in SCOPES and own["distance"] in DISTANCES and _number(own["images"], 1)
    if not right or not all(_number(size, 0) for name, size in own.items() if name.endswith("_bytes")):
        raise BadRecord(f"{path} has an impossible measurement of memory, {own}. Record again.")
    return Footprint(**own)


def metadata(path: Path, values: Mapping[str, Any], required: set[str]) -> None:
    """Raise BadRecord if a required key is missing, or one of several that go together, or a value is impossible."""
    begun = [keys for keys in TOGETHER if keys & values.keys()]
    if missing := required.union(*begun) - values.keys():
        raise BadRecord(f"{path} was not written by this project: it lacks {', '.join(sorted(missing))}. Record again.")
    for key, value in values.items():
        right = isinstance(value, str) or _number(value)
        if key in NUMBERS:
            right = _number(value) and (value > 0 or key not in POSITIVE)
        if key in TEXTS:
            right = isinstance(value, str) and bool(re.fullmatch(TEXTS[key], value))
        if not right:
            raise BadRecord(f"{path} has the impossible value {value!r} of {key}. Record again.")


def _number(value: Any, least: float = -math.inf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= least
