"""A kernel's source as a reader meets it: the functions that compute, how much code they are, and its hash.

Counted one way for all kernels: the functions that `baseline` under L1 needs, that is `mean_images`, `predict_l1` and
every function or constant of the file that they use; docstrings, comments and blank lines out, by Python's own
tokenizer. `prepare` and `to_host` convert and do not compute, and are not counted.
"""

import ast
import hashlib
import io
import symtable
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
DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)  # what may have a docstring
Span = tuple[tuple[int, int], tuple[int, int]]  # (row, column) of the first character, and of the one after the last


@dataclass(frozen=True)
class Step:
    """One step of the computation: its name, and its source lines, with those that it is the first to need."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """The functions that compute: their steps, and how many lines and tokens they are."""

    steps: tuple[Step, ...]
    lines: int
    tokens: int


def code(path: Path) -> Code | None:
    """Return the computing functions of a kernel's file; None where it is missing, does not parse or lacks them.

    None as well where they need source in another language, a constant of many lines: Python cannot count its tokens.
    """
    try:
        with tokenize.open(path) as file:  # as Python itself reads it
            text = file.read()
        tree = ast.parse(text)
        symtable.symtable(text, str(path), "exec")  # there is more that does not compile than what does not parse
    except (OSError, SyntaxError, ValueError):
        return None
    defined = {name: node for node in tree.body for name in _names(node)}
    if not {"mean_images", "predict_l1"} <= defined.keys():
        return None
    needed = {name: _needed(name, defined) for name in STEPS if name in defined}
    if "distance_l1" in defined and defined["distance_l1"] not in needed["mean_images"] + needed["predict_l1"]:
        del needed["distance_l1"]
    if any(_foreign(node) for nodes in needed.values() for node in nodes if isinstance(node, ast.Assign)):
        return None
    layout = _Layout(text)
    steps, taken, tokens = [], set[ast.stmt](), 0
    for name, nodes in needed.items():
        others = {defined[step] for step in needed} - {defined[name]}
        own = [node for node in nodes if node not in taken | others]
        taken.update(own)
        counted = [layout.tokens(node) for node in own]
        tokens += sum(map(len, counted))
        steps.append(Step(name, tuple(layout.lines(span for spans in counted for span in spans))))
    return Code(tuple(steps), sum(len(step.lines) for step in steps), tokens)


def _foreign(node: ast.stmt) -> bool:
    texts = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))
    return any(text.count("\n") > 1 for text in texts)


def source_hash(path: Path) -> str:
    """Return a hash of a kernel's syntax tree without docstrings: comments and captions do not make it another one.

    The same under every version of Python that knows the same syntax.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except OSError:
        return "not_timed"
    except (SyntaxError, ValueError):  # it does not parse, and is broken for that
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.JoinedStr):  # Python 3.12 ends some of them with an empty piece
            node.values = [each for each in node.values if not (isinstance(each, ast.Constant) and each.value == "")]
    return hashlib.sha256(_dump(tree).encode()).hexdigest()[:16]


def find(kernel: str) -> Path | None:
    """Return the file of a contestant of this checkout; None for a kernel that lives elsewhere."""
    stem = kernel.partition("@")[0]
    return next((path for path in sorted((ROOT / "kernels").rglob("*.py")) if path.stem == stem), None)


def _dump(value: object) -> str:
    """Return what `ast.dump` of Python 3.11 does, which records hold the hash of, under every version."""
    if isinstance(value, ast.AST):
        said = [
            f"{name}={_dump(field)}"
            for name, field in ((name, getattr(value, name, None)) for name in value._fields)
            if not (field is None and getattr(type(value), name, ...) is None)
            and (name, field) != ("type_params", [])  # since 3.12
        ]
        return f"{type(value).__name__}({', '.join(said)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_dump, value))}]"
    return ascii(value)  # what repr escapes hangs on the version of Unicode


def _names(node: ast.AST) -> Iterator[str]:
    """Yield what a statement defines for its file: functions, classes and constants, also under an `if` or `try`."""
    match node:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            yield name
        case ast.Name(name):
            yield name
        case ast.AugAssign() | ast.AnnAssign(value=None):  # changes or announces what is defined elsewhere
            pass
        case _:
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.expr) or isinstance(getattr(child, "ctx", None), ast.Store):
                    yield from _names(child)


def _needed(name: str, defined: dict[str, ast.stmt]) -> list[ast.stmt]:
    """Return what a function needs of its file, itself included, in the order of the file."""
    found: set[ast.stmt] = set()
    wanted = [name]
    while wanted:
        if (node := defined[wanted.pop()]) not in found:
            found.add(node)
            wanted += [each for each in _read(symtable.symtable(ast.unparse(node), "", "exec")) if each in defined]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _read(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the names that code takes from its file or from Python; a local one of the same name is another."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() if table.get_type() == "module" else symbol.is_global():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _read(inner)


class _Layout:
    """Where in a text its tokens and comments are, by Python's own tokenizer."""

    def __init__(self, text: str) -> None:
        self._rows = text.split("\n")
        self._comments: dict[int, int] = {}
        self._tokens: list[Span] = []
        self._shown: set[int] = set()
        strings = 0  # since Python 3.12 an f-string comes in pieces; here it is one token, as before
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = tokenize.tok_name[token.type]
            if token.type == tokenize.COMMENT:
                self._comments[token.start[0]] = token.start[1]
            strings -= kind.endswith("STRING_END")
            if not strings and kind.endswith("STRING_END"):
                self._tokens[-1] = (self._tokens[-1][0], token.end)
            elif not strings and token.type not in LAYOUT:
                self._tokens.append((token.start, token.end))
            strings += kind.endswith("STRING_START")

    def tokens(self, node: ast.stmt) -> list[Span]:
        """Return the tokens of a definition, decorators included, without docstrings."""
        start, end = self._span(node)
        start = min([start, *((each.lineno, 0) for each in getattr(node, "decorator_list", []))])
        docstrings = [
            self._span(each.body[0])
            for each in ast.walk(node)
            if isinstance(each, DOCUMENTED) and ast.get_docstring(each) is not None
        ]
        return [
            (first, last)
            for first, last in self._tokens
            if start <= first and last <= end and not any(a <= first and last <= b for a, b in docstrings)
        ]

    def lines(self, tokens: Iterator[Span]) -> Iterator[str]:
        """Yield the lines that tokens stand on, each once, without comments; blank ones in a string are out too."""
        for first, last in tokens:
            for number in range(first[0], last[0] + 1):
                line = self._rows[number - 1][: self._comments.get(number)].rstrip()
                if line and number not in self._shown:
                    self._shown.add(number)
                    yield line

    def _span(self, node: ast.stmt) -> Span:
        last = node.end_lineno or node.lineno
        return self._place(node.lineno, node.col_offset), self._place(last, node.end_col_offset or 0)

    def _place(self, row: int, column: int) -> tuple[int, int]:
        """Return a place as the tokenizer counts it, in characters; the parser counts bytes."""
        return row, len(self._rows[row - 1].encode()[:column].decode())
