"""The code of a kernel that computes, its lines and tokens, and the hash of its source.

All kernels are counted the same way: the functions that `baseline` under the L1 distance needs, which are
`mean_images`, `predict_l1` and every function or constant of the file that they use, by Python's own tokenizer, without
docstrings, comments and blank lines. `prepare` and `to_host` convert and do not compute, so they do not count.
"""

import ast
import hashlib
import io
import symtable
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.kernel import ROOT

STEPS = ("mean_images", "distance_l1", "predict_l1")  # in the order of the computation; `distance_l1` is optional
LAYOUT = {
    tokenize.ENCODING, tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip
DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)  # may have a docstring
Span = tuple[tuple[int, int], tuple[int, int]]  # (row, column) of the first character, and of the one after the last


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
    tree = ast.parse(text)
    defined = {name: node for node in tree.body for name in _names(node)}
    if not {"mean_images", "predict_l1"} <= defined.keys():
        return None
    needed = {name: _needed(name, defined) for name in STEPS if name in defined}
    if "distance_l1" in defined and defined["distance_l1"] not in needed["mean_images"] + needed["predict_l1"]:
        del needed["distance_l1"]
    if any(_has_foreign_source(node) for nodes in needed.values() for node in nodes if isinstance(node, ast.Assign)):
        return None
    layout = _Layout(text)
    steps, counted, tokens = [], set[ast.stmt](), 0
    for name, nodes in needed.items():
        other_steps = {defined[step] for step in needed} - {defined[name]}
        own = [node for node in nodes if node not in counted | other_steps]
        counted.update(own)
        spans = [span for node in own for span in layout.tokens(node)]
        tokens += len(spans)
        steps.append(Step(name, tuple(layout.lines(spans))))
    return Code(tuple(steps), sum(len(step.lines) for step in steps), tokens)


def _has_foreign_source(node: ast.stmt) -> bool:
    constants = [child.value for child in ast.walk(node) if isinstance(child, ast.Constant)]
    return any(isinstance(value, str) and value.count("\n") > 1 for value in constants)


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
                node.values = [
                    each for each in node.values if not (isinstance(each, ast.Constant) and each.value == "")
                ]
        source = _dump(tree).encode()
    except OSError:
        return "missing"
    except (SyntaxError, ValueError, RecursionError):  # a broken kernel, or an expression of a thousand operators
        pass
    return hashlib.sha256(source).hexdigest()[:16]


def find(kernel: str) -> Path | None:
    """Return the file of a kernel of this checkout; None for a kernel that lives elsewhere."""
    stem = kernel.partition("@")[0]
    return next((path for path in sorted((ROOT / "kernels").rglob("*.py")) if path.stem == stem), None)


def _dump(value: object) -> str:
    """Return under every version what `ast.dump` of Python 3.11 returns, as records hold hashes of that."""
    if isinstance(value, ast.AST):
        fields = [
            f"{name}={_dump(field)}"
            for name, field in ((name, getattr(value, name, None)) for name in value._fields)
            if not (field is None and getattr(type(value), name, ...) is None)
            and (name, field) != ("type_params", [])  # since 3.12
        ]
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_dump, value))}]"
    return ascii(value)  # what repr escapes depends on the version of Unicode


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement defines in its file, also under an `if` or `try`."""
    match node:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
            yield name
        case ast.Name(name):
            yield name
        case ast.AugAssign() | ast.AnnAssign(value=None):  # changes or declares a name that is defined elsewhere
            pass
        case _:
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.expr) or isinstance(getattr(child, "ctx", None), ast.Store):
                    yield from _names(child)


def _needed(name: str, defined: dict[str, ast.stmt]) -> list[ast.stmt]:
    """Return the statements that a function needs of its file, its own included, in the order of the file."""
    needed: set[ast.stmt] = set()
    names = [name]
    while names:
        if (node := defined[names.pop()]) not in needed:
            needed.add(node)
            names += [read for read in _read(symtable.symtable(ast.unparse(node), "", "exec")) if read in defined]
    return sorted(needed, key=lambda node: (node.lineno, node.col_offset))


def _read(table: symtable.SymbolTable) -> Iterator[str]:
    """Yield the global names that code reads."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() if table.get_type() == "module" else symbol.is_global():
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _read(inner)


class _Layout:
    """The places of tokens and comments in a source text, by Python's own tokenizer."""

    def __init__(self, text: str) -> None:
        self._rows = text.split("\n")
        self._comments: dict[int, int] = {}
        self._tokens: list[Span] = []
        self._shown: set[int] = set()
        strings = 0  # since Python 3.12 an f-string is several tokens; here it is one, as before
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
        """Return the tokens of a definition, with its decorators and without docstrings."""
        start, end = self._span(node)
        start = min([start, *((decorator.lineno, 0) for decorator in getattr(node, "decorator_list", []))])
        docstrings = [
            self._span(inner.body[0])
            for inner in ast.walk(node)
            if isinstance(inner, DOCUMENTED) and ast.get_docstring(inner) is not None
        ]
        return [
            (first, last)
            for first, last in self._tokens
            if start <= first and last <= end and not any(a <= first and last <= b for a, b in docstrings)
        ]

    def lines(self, tokens: Iterable[Span]) -> Iterator[str]:
        """Yield the lines of the tokens that were not yielded before, without comments and blank lines."""
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
        """Return a place in characters, as the tokenizer counts; the parser counts columns in bytes."""
        return row, len(self._rows[row - 1].encode()[:column].decode())
