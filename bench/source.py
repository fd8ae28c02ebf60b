"""A kernel's source as a reader meets it: the functions that compute, how much code they are, and its hash.

Counted one way for all kernels: the functions that `baseline` under L1 needs, that is `mean_images`, `predict_l1` and
every function or constant of the file that they use; docstrings, comments and blank lines out, by Python's own
tokenizer. `prepare` and `to_host` convert and do not compute, and are not counted.
"""

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.kernel import ROOT

STEPS = ("mean_images", "distance_l1", "predict_l1")  # in the order of the computation; a kernel may lack the second
LAYOUT = {
    tokenize.ENCODING, tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step of the computation: its name, and its source lines, with those of the functions that it alone needs."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """The functions that compute: their steps, and how many lines and tokens they are."""

    steps: tuple[Step, ...]
    lines: int
    tokens: int


def code(path: Path) -> Code | None:
    """Return the computing functions of a kernel's file; None where it is missing, does not parse or lacks them."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):
        return None
    defined = {name: node for node in tree.body for name in _names(node)}
    if not {"mean_images", "predict_l1"} <= defined.keys():
        return None
    taken: set[ast.stmt] = set()
    steps = []
    for name in (step for step in STEPS if step in defined):
        others = {defined[step] for step in STEPS if step in defined and step != name}
        nodes = [node for node in _needed(name, defined) if node not in taken | others]
        taken.update(nodes)
        if name != "distance_l1" or _uses(defined, "distance_l1"):
            steps.append(Step(name, tuple(line for node in nodes for line in _lines(text, node))))
    lines = [line for step in steps for line in step.lines]
    return Code(tuple(steps), len(lines), sum(1 for _ in _tokens("\n".join(lines))))


def source_hash(path: Path) -> str:
    """Return a hash of a kernel's syntax tree without docstrings: comments and captions do not make it another one.

    The same under every version of Python that knows the same syntax: empty fields, of which each adds some, are out.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except OSError:
        return "absent"
    except (SyntaxError, ValueError):  # it does not parse, and is broken for that
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(_dump(tree).encode()).hexdigest()[:16]


def find(kernel: str) -> Path | None:
    """Return the file of a contestant of this checkout; None for a kernel that lives elsewhere."""
    name = f"{kernel.partition('@')[0]}.py"
    return next(iter(sorted((ROOT / "kernels").rglob(name))), None)


def _dump(value: object) -> str:
    if isinstance(value, ast.AST):
        fields = ((name, getattr(value, name, None)) for name in value._fields)
        said = ", ".join(f"{name}={_dump(field)}" for name, field in fields if field is not None and field != [])
        return f"{type(value).__name__}({said})"
    if isinstance(value, list):
        return f"[{', '.join(map(_dump, value))}]"
    return repr(value)


def _names(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name):
            return [name]
        case ast.Assign(targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
    return []


def _needed(name: str, defined: dict[str, ast.stmt]) -> list[ast.stmt]:
    """Return what a function needs of its file, itself included, in the order of the file."""
    found: dict[str, ast.stmt] = {}
    wanted = [name]
    while wanted:
        if (each := wanted.pop()) not in found:
            found[each] = defined[each]
            wanted += [node.id for node in ast.walk(found[each]) if isinstance(node, ast.Name) and node.id in defined]
    return sorted(set(found.values()), key=lambda node: node.lineno)


def _uses(defined: dict[str, ast.stmt], name: str) -> bool:
    """Return whether the computation under L1 comes to use a function."""
    return any(defined[name] in _needed(root, defined) for root in ("mean_images", "predict_l1"))


def _lines(text: str, node: ast.stmt) -> Iterator[str]:
    """Yield the source lines of a definition, decorators included, without docstring, comments and blank lines."""
    whole = text.splitlines()
    skipped: set[int] = set()
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(each.lineno for each in decorators)])
    if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
        skipped.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    comments = {
        token.start[0]: token.start[1]
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    for number in range(first, (node.end_lineno or node.lineno) + 1):
        line = whole[number - 1][: comments.get(number)].rstrip()
        if line and number not in skipped:
            yield line


def _tokens(text: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            yield token.string
