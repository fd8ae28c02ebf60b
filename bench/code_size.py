"""The code of a kernel that computes, its lines and tokens, and the hash of its source.

All kernels are counted the same way: the functions that `baseline` under the L1 distance needs, which are
`mean_images`, `predict_l1` and every function or constant of the file that they use, by Python's own tokenizer, without
docstrings, comments and blank lines. `prepare` and `to_host` convert and do not compute, so they do not count. Lines
are counted whole, so a statement beside another one counts with it.
"""

import ast
import hashlib
import io
import symtable
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.kernel import ROOT

STEPS = ("mean_images", "distance_l1", "predict_l1")  # in the order of the computation; `distance_l1` is optional
LAYOUT = (tokenize.ENCODING, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)  # may have a docstring


@dataclass(frozen=True)
class Step:
    """One function of the computation, and its source lines, with helpers that no earlier step needs."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """The functions that compute, step by step, and their lines and tokens."""

    steps: tuple[Step, ...]
    lines: int
    tokens: int


def code(path: Path) -> Code | None:
    """Return the computing functions of a kernel's file; None if it is missing, does not compile or lacks them.

    Also None where they need source in another language, a constant of many lines, whose tokens Python cannot count.
    """
    try:
        with tokenize.open(path) as file:  # as Python itself reads it
            text = file.read()
        symtable.symtable(text, str(path), "exec")  # some code parses and does not compile
        return _code(text)
    except (OSError, SyntaxError, ValueError, RecursionError):  # the last from an expression of a thousand operators
        return None


def _code(text: str) -> Code | None:
    tree, rows = ast.parse(text), text.split("\n")
    defined = {name: node for node in tree.body for name in _names(node)}
    if not {"mean_images", "predict_l1"} <= defined.keys():
        return None
    needed = {name: _needed(name, defined) for name in STEPS if name in defined}
    if "distance_l1" in defined and defined["distance_l1"] not in needed["mean_images"] + needed["predict_l1"]:
        del needed["distance_l1"]
    constants = [node for nodes in needed.values() for node in nodes if isinstance(node, ast.Assign)]
    values = [child.value for node in constants for child in ast.walk(node) if isinstance(child, ast.Constant)]
    if any(isinstance(value, str) and value.count("\n") > 1 for value in values):
        return None
    steps, tokens, counted = [], 0, set[ast.stmt]()
    for name, nodes in needed.items():
        lines, others = list[str](), {defined[step] for step in needed} - {defined[name]}
        for node in [node for node in nodes if node not in counted | others]:
            first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
            own, count = _measured(rows[first - 1 : node.end_lineno])
            lines += own
            tokens += count
        counted |= {*nodes} - others
        steps.append(Step(name, tuple(lines)))
    return Code(tuple(steps), sum(len(step.lines) for step in steps), tokens)


def _measured(rows: list[str]) -> tuple[list[str], int]:
    """Return the rows of a statement without docstrings, comments and blank lines, and how many tokens they have."""
    tokens = [*tokenize.generate_tokens(io.StringIO("\n".join(rows)).readline)]
    comments = {token.start[0]: token.start[1] for token in tokens if token.type == tokenize.COMMENT}
    tokens = [token for token in tokens if token.type not in (tokenize.COMMENT, tokenize.NL)]
    shown, count = set[int](), 0
    strings = 0  # open f-strings: since Python 3.12 they are several tokens, and here one, as before
    for before, token, after in zip([tokens[0], *tokens], tokens, tokens[1:], strict=False):
        alone = before.type in LAYOUT and after.type == tokenize.NEWLINE
        if token.type in LAYOUT or (token.type == tokenize.STRING and alone):  # a string alone is a docstring
            continue
        shown |= {*range(token.start[0], token.end[0] + 1)}
        kind = tokenize.tok_name[token.type]
        count += not strings
        strings += kind.endswith("STRING_START") - kind.endswith("STRING_END")
    lines = [rows[number - 1][: comments.get(number)].rstrip() for number in sorted(shown)]
    return [line for line in lines if line], count


def source_hash(path: Path) -> str:
    """Return a hash of a kernel's syntax tree without docstrings and comments; "missing" without a file.

    It is the same under every version of Python that knows the file's syntax.
    """
    try:
        source = path.read_bytes()
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
            if isinstance(node, ast.JoinedStr):  # Python 3.12 ends some of them with an empty piece
                node.values = [one for one in node.values if not (isinstance(one, ast.Constant) and one.value == "")]
            if not getattr(node, "type_params", True):  # since 3.12
                del node.type_params  # type: ignore[attr-defined]
        options: dict[str, Any] = {"show_empty": True} if sys.version_info >= (3, 13) else {}
        source = ast.dump(tree, **options).encode("ascii", "backslashreplace")  # repr depends on the version of Unicode
    except OSError:
        return "missing"
    except (SyntaxError, ValueError, RecursionError):  # a broken kernel, or an expression of a thousand operators
        pass
    return hashlib.sha256(source).hexdigest()[:16]


def find(kernel: str) -> Path | None:
    """Return the file of a kernel of this checkout; None for a kernel that lives elsewhere."""
    stem = kernel.partition("@")[0]
    return next((path for path in sorted((ROOT / "kernels").rglob("*.py")) if path.stem == stem), None)


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement defines in its file, also under an `if` or `try`."""
    if isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and node.value is None):
        return []  # it changes or declares a name that is defined elsewhere
    return [one.get_name() for one in _table(node).get_symbols() if one.is_assigned() and not one.is_imported()]


def _needed(name: str, defined: dict[str, ast.stmt]) -> list[ast.stmt]:
    """Return the statements that a function needs of its file, its own included, in the order of the file."""
    needed: set[ast.stmt] = set()
    names = [name]
    while names:
        if (node := defined[names.pop()]) not in needed:
            needed.add(node)
            names += [read for read in _read(_table(node)) if read in defined]
    return sorted(needed, key=lambda node: (node.lineno, node.col_offset))


def _table(node: ast.stmt) -> symtable.SymbolTable:
    return symtable.symtable(ast.unparse(node), "", "exec")


def _read(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the global names that code reads."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() if table.get_type() == "module" else symbol.is_global():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _read(inner)
