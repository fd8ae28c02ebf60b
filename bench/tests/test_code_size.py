"""A kernel's code is counted the same way however it is written, and its hash changes only with the code."""

import ast
import io
import json
import re
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import code_size
from bench.kernel import ROOT

KERNELS = [path for path in sorted((ROOT / "kernels").glob("*.py")) if path.name != "__init__.py"]
TEXTS = [path.read_text(encoding="utf-8") for path in KERNELS]
KERNEL = '''"""A caption, # and no comment."""

import numpy as np

UNUSED = 3


def prepare(images, device):
    return images / 255


def mean_images(stacks):
    """Say it

    in three lines."""
    return [stack.mean(0) for stack in stacks]  # 6 tokens above, 13 here


def distance_l1(a, b):

    # nothing
    return abs(a - b)


def predict_l1(images, means):
    return nearest(images, means)


def nearest(a, b):
    'Compare.'
    return distance_l1(a, b)


def predict_l2(images, means):
    return UNUSED


def to_host(means):
    return means
'''
PREDICT = ("def predict_l1(images, means):", "    return nearest(images, means)")


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# Counting.


def test_only_code_that_computes_is_counted_step_by_step(write):
    code = code_size.code(write(KERNEL))
    assert [(step.name, step.lines) for step in code.steps] == [
        ("mean_images", ("def mean_images(stacks):", "    return [stack.mean(0) for stack in stacks]")),
        ("distance_l1", ("def distance_l1(a, b):", "    return abs(a - b)")),
        ("predict_l1", (*PREDICT, "def nearest(a, b):", "    return distance_l1(a, b)")),
    ]
    assert (code.lines, code.tokens) == (8, (6 + 13) + (8 + 7) + (8 + 7) + (8 + 7))


UNIT = [  # a definition of UNIT: its lines and tokens, by hand
    ("UNIT = 255  # grey levels", 1, 3),
    ("UNIT = 255\nUNIT: int", 1, 3),
    ("class UNIT:\n    '''What it is,\n    in two lines.'''\n\n    x = 1", 2, 6),
    ("@cache\n@other(\n    1)\ndef UNIT():\n    return 1", 5, 14),
    ("def UNIT():\n\tdef inner():\n\t\t'Say it.'\n\t\treturn 1\n\treturn inner", 4, 14),
    ('UNIT = """a\n# no comment"""', 2, 3),
    ("UNIT = (1 +\n\n    # why\n    2)", 2, 7),
    ("UNIT = 'a\u2028b\x0cc'", 1, 3),  # str.splitlines would split it
    ("try:\n    import fast\n    UNIT = fast\nexcept ImportError:\n    UNIT = 2", 5, 13),
    ("def UNIT():\n    return DEEP\nDEEP = 7", 3, 10),
    ('UNIT = f"{1 + 1} and {2!r:>{3}}" f"{UNIT}"', 1, 4),
    ("UNIT = 1\nUNIT = 2", 1, 3),  # the last definition counts
]
C = """'''
int one(void) {
    return 1;
}
'''"""
BARE = "def mean_images(stacks): return UNIT\ndef predict_l1(images, means): return 1\n"


@pytest.mark.parametrize(("definition", "lines", "tokens"), UNIT)
def test_what_a_function_needs_counts_however_it_is_written(write, definition, lines, tokens):
    bare = code_size.code(write(BARE))
    code = code_size.code(write(f"{definition}\n{BARE}"))
    assert (bare.lines, bare.tokens) == (2, 18)
    assert (code.lines - bare.lines, code.tokens - bare.tokens) == (lines, tokens)
    assert sum(len(step.lines) for step in code.steps) == code.lines
    after = code_size.code(write(f"{BARE}{definition}"))
    assert (after.lines, after.tokens) == (code.lines, code.tokens)


NOT_NEEDED = [  # each has a UNIT that is not the file's
    "def mean_images(stacks): return 1",
    "def mean_images(stacks):\n    UNIT = 1\n    return UNIT",
    "def mean_images(stacks): return [UNIT for UNIT in stacks]",
    "def mean_images(stacks): return 'UNIT'",
]


@pytest.mark.parametrize("use", NOT_NEEDED)
def test_what_is_not_needed_does_not_count(write, use):
    text = f"{use}\ndef predict_l1(images, means): return 1\n"
    without = code_size.code(write(text))
    assert code_size.code(write(f"UNIT = 255\ndef help(): return UNIT\n{text}")) == without


@pytest.mark.parametrize(
    "use",
    [
        "def mean_images(stacks):\n    def inner():\n        return UNIT\n    return inner()",
        "def mean_images(stacks):\n    global UNIT\n    UNIT = 1",
        "def mean_images(stacks, unit=UNIT): pass",
        "class mean_images:\n    def __new__(cls, stacks): return UNIT",
    ],
)
def test_every_use_of_a_definition_counts(write, use):
    text = f"{use}\ndef predict_l1(images, means): return 1\n"
    assert code_size.code(write(f"UNIT = 3\n{text}")).tokens == code_size.code(write(text)).tokens + 3


STEPS = [  # a file, and the lines of its steps
    ("def help(): return 1\ndef mean_images(s): return help()\ndef predict_l1(i, m): return help()", [2, 1]),
    ("def mean_images(s): return 1\ndef pairs(): return 1\ndef predict_l1(i, m): return pairs()", [1, 2]),
    ("def make(): return 1, 2\nmean_images, predict_l1 = make()", [2, 0]),
]


@pytest.mark.parametrize(("text", "lines"), STEPS)
def test_what_two_steps_use_counts_once_and_a_distance_that_l1_does_not_use_is_no_step(write, text, lines):
    code = code_size.code(write(text))
    assert {step.name: len(step.lines) for step in code.steps} == {"mean_images": lines[0], "predict_l1": lines[1]}
    assert code.lines == sum(lines)
    helper = re.search("def (help|pairs|make)", text)[1]
    assert code_size.code(write(f"{text}\ndef distance_l1(a, b): return {helper}()\n")) == code


def test_files_are_read_as_python_reads_them(write):
    latin = ("# -*- coding: latin-1 -*-\n" + KERNEL.replace("Say it", "Dis-lé")).encode("latin-1")
    for encoded in (KERNEL.encode("utf-8-sig"), KERNEL.replace("\n", "\r\n").encode(), latin):
        assert code_size.code(write(encoded)) == code_size.code(write(KERNEL))


@pytest.mark.parametrize(
    "text",
    [
        "def mean_images(stacks:\n",
        "from other import mean_images, predict_l1",
        b"# -*- coding: nonsense -*-\n",
        "def mean_images(s): pass\ndef predict_l1(i, m): '\xe9'".encode("latin-1"),
        "def mean_images(s, s): pass\ndef predict_l1(i, m): pass",  # parses, does not compile
    ],
)
def test_what_has_no_computing_functions_has_no_code(write, text):
    assert code_size.code(write(text)) is None


@pytest.mark.parametrize(("value", "counted"), [("1", True), ("'one line'", True), ("""'a\\nb'""", True), (C, False)])
def test_source_of_another_language_is_not_counted(write, value, counted):
    text = f"SOURCE = {value}\ndef mean_images(s): return SOURCE\ndef predict_l1(i, m): pass"
    assert (code_size.code(write(text)) is not None) == counted
    assert code_size.code(write(text.replace("return SOURCE", "return 0"))) is not None  # it needs none of it


def test_a_file_that_is_missing_has_no_code_and_no_hash(tmp_path):
    assert code_size.code(tmp_path / "none.py") is None
    assert code_size.code(tmp_path) is None
    assert code_size.source_hash(tmp_path / "none.py") == "missing"


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_every_kernel_has_its_code(path):
    code = code_size.code(path)
    defined = {node.name for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.FunctionDef)}
    shown = [line for step in code.steps for line in step.lines]
    heads = {line.partition("(")[0].removeprefix("def ") for line in shown if line.startswith("def ")}
    assert {"mean_images", "predict_l1"} <= heads <= defined - {"prepare", "to_host", "predict_l2", "distance_l2"}
    compile("\n".join(shown), path.name, "exec")  # so these are whole statements
    assert code_size.find(f"{path.stem}@anywhere") == path


# Hashing.


@pytest.fixture(scope="module")
def hashed(tmp_path_factory):
    path = tmp_path_factory.mktemp("hashed") / "mine.py"

    def hashed(text):
        path.write_text(text, encoding="utf-8")
        return code_size.source_hash(path)

    return hashed


@given(st.sampled_from([*TEXTS, KERNEL]), st.data())
def test_comments_blank_lines_and_spaces_change_no_hash(hashed, text, data):
    lines = text.split("\n")
    free = set(range(len(lines)))  # rows that do not end inside a string, so that appended text is layout
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        free -= set(range(token.start[0] - 1, token.end[0] - 1)) if token.type == tokenize.STRING else set()
    noise = st.sampled_from(["  # so it is", "   ", "\n", "\n# a line", "\n\n\n   # far in", "\t"])
    for row in data.draw(st.sets(st.sampled_from(sorted(free)), max_size=8)):
        lines[row] += data.draw(noise)
    changed = "\n".join(lines)
    assert ast.dump(ast.parse(changed)) == ast.dump(ast.parse(text))
    assert hashed(changed) == hashed(text)


@pytest.mark.parametrize("head", ["", "class A:", "def f():", "async def f():", "async def f():\n  def g():"])
def test_docstrings_change_no_hash(hashed, head):
    indent = "   " if head else ""
    bodies = (["x = 1"], ["'a'", "x = 1"], ["'b'", "x = 1"])
    without, *hashes = (hashed("\n".join([head, *(f"{indent}{line}" for line in body)])) for body in bodies)
    assert hashes == [without, without]
    assert hashed("\n".join([head, f"{indent}'a'", f"{indent}'b'", f"{indent}x = 1"])) != without


DIFFERENT = [
    "x = 0", "x = False", "x = ''", "x = b''", "x = 0.0", "x = f''",
    "x = 1", "x = 1.0", "x = True", "x = None", "x = '1'", "x = -1", "x: int = 1", "x: int",
    "x = [None]", "x = []", "x = ()", "x = {}", "x = {**y}", "x = {None: y}", "x = ...", "x += 1", "x = (1,)",
    "def x(): return", "def x(): return None", "def x(): pass", "def x(y): pass", "def x(y=None): pass",
    "def x(*, y): pass", "def x(*, y=None): pass", "def x(y, /): pass", "async def x(): pass", "@y\ndef x(): pass",
    "def x() -> None: pass", "x = lambda: 1", "x = f'{y}'", "x = f'{y!r}'", "x = f'{y:1}'", "x = 'y'",
    "x = [y for y in z]", "import x", "import x as y", "class x: pass", "class x(y): pass", "x = 'é'",
]  # fmt: skip


def test_code_that_differs_in_little_differs_in_its_hash(hashed):
    texts = [*DIFFERENT, "x = (", "x = ( "]  # what does not parse is hashed by its bytes
    assert len({hashed(text) for text in texts}) == len(texts)


def other_pythons():
    """Return other versions of Python that start here: on the path, or from pyenv."""
    commands = {}
    for minor in range(11, 16):
        from_pyenv = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"))
        for command in filter(None, (shutil.which(f"python3.{minor}"), *map(str, from_pyenv))):
            done = subprocess.run([command, "-c", "print(1)"], capture_output=True, text=True, check=False)
            if done.stdout == "1\n" and minor != sys.version_info.minor:
                commands[minor] = command
    return list(commands.values())


COUNT = """
import json, sys
from pathlib import Path
from bench import code_size
def counted(path):
    code = code_size.code(path)
    return code_size.source_hash(path), code and [code.lines, code.tokens]
print(json.dumps([counted(Path(path)) for path in json.load(sys.stdin)]))
"""


def test_hashes_and_counts_are_the_same_under_every_python(tmp_path):
    others = other_pythons()
    if not others:
        pytest.skip("no other version of Python is installed")
    texts = [*DIFFERENT, *(f"{definition}\n{BARE}" for definition, *_ in UNIT), "x = '\U0001fae9'", "x = f'{y=}' 'z'"]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.py").write_text(text, encoding="utf-8")
    paths = json.dumps([str(path) for path in (*sorted(tmp_path.glob("*.py")), *KERNELS)])
    outputs = {
        subprocess.run(
            [command, "-c", COUNT], input=paths.encode(), cwd=ROOT, stdout=subprocess.PIPE, check=True
        ).stdout
        for command in (sys.executable, *others)
    }
    assert len(outputs) == 1, outputs
