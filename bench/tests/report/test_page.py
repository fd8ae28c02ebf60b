"""The page and the README's results: from the records alone, the same bytes every time, or a refusal and no byte."""

import gzip
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import data
from bench import __main__
from bench.analysis import answer, claims
from bench.formatting import Grid
from bench.kernel import REFERENCE
from bench.records import model
from bench.report import charts, page, page_records, page_words, readme
from bench.report.charts import Drawing, NotDrawn, svg
from bench.task import digits_metadata
from bench.task.problem import make_problem
from bench.tests import builders_records
from bench.tests.builders import noise, write_folder
from bench.tests.builders_records import METADATA, configurations, record, samples
from bench.tests.builders_selections import BROADCAST, full_selection

AROUND = "# Title\r\n\nBefore, ¼ × \t \n{}after.  \nNo end of line"
EMPTY = f"{readme.BEGIN}\n{readme.END}\n"
MACHINE = "a-fine-cpu-2-cores"
INLINE = [name for name in charts.PICTURES if name != "side_by_side"]  # whose code the page has as text
MINE = {"dataset": "mine"}  # digits that nobody can draw again


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """An empty checkout: a README with markers, and no record; no digits are at hand."""
    root = tmp_path / "checkout"
    use_checkout(monkeypatch, root)
    model.LOCAL.mkdir(parents=True)
    readme.README.write_bytes(AROUND.format(EMPTY).encode())
    monkeypatch.setattr(data, "at_hand", lambda: None)
    return root


def use_checkout(monkeypatch, root):
    monkeypatch.setattr(model, "LOCAL", root / "results" / "local")
    monkeypatch.setattr(readme, "ROOT", root)
    monkeypatch.setattr(readme, "README", root / "README.md")


@pytest.fixture
def sketched(monkeypatch):
    """Pictures that are drawn at once, of a name alone."""

    def draw(name, shown):
        if name == "gallery" and shown.problem is None:
            raise NotDrawn("the digits are not at hand")
        return Drawing(Figure(), f"What {name} is.", f"{name}: 100 × [{shown.speed.configuration}]")

    monkeypatch.setattr(charts, "draw", draw)


def publish(machine=MACHINE, **metadata):
    """Publish a record, of memory where its kind is so, and return its path."""
    write = builders_records.memory if metadata.get("kind") == "memory" else record
    written = write(model.LOCAL, **{**MINE, **metadata})
    target = model.LOCAL.parent / machine / f"{written.slot}.json.gz"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(gzip.compress(written.path.read_bytes(), mtime=0))
    written.path.unlink()
    return target


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, ["report", *map(str, arguments)])


def done(*arguments):
    """Return what `report` printed; it must succeed."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def files(folder):
    """Return the bytes of every file below a folder, by name, without the drawings that are kept."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and ".drawn" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def refused(checkout, *arguments):
    """Return the error of `report`, which must be one line, with nothing written."""
    before = files(checkout)
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert files(checkout) == before
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


def html(shown):
    """Return the page of a selection."""
    return shown.page.read_text(encoding="utf-8")


def text(path):
    """Return the words of a page, without its pictures and tags."""
    body = re.sub(r"<(svg|style)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]*>", " ", body)))


def table(shown, caption):
    """Return the rows of the table on a selection's page whose caption begins so, without its header."""
    rows = html(shown).partition(f"<caption>{caption}")[2].partition("</table>")[0].split("<tr")[2:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in rows]
    return [[" ".join(unescape(re.sub("<[^>]*>", " ", cell)).split()) for cell in row] for row in cells]


# Which pages.


@pytest.mark.usefixtures("sketched")
def test_every_published_machine_and_the_newest_local_run_have_a_page(checkout):
    publish("b"), publish("a", cpu_count=64)
    record(model.LOCAL, **MINE)
    newer = record(model.LOCAL, **MINE)
    done()
    after = files(checkout)
    pages = [path for path in after if path.endswith(".html")]
    assert pages == ["results/a/report.html", "results/b/report.html", f"results/local/{newer.path.stem}.html"]
    assert ["64 cores" in text(checkout / path) for path in pages] == [True, False, False]
    drawn = [path for path in after if path.startswith("results/a/") and path.endswith((".svg", ".png"))]
    assert drawn == sorted(f"results/a/{name}.svg" for name in charts.PICTURES if name != "gallery")
    assert sorted(path.suffix for path in model.LOCAL.glob("[!.]*")) == [".html", ".json", ".json"]  # pictures inline
    assert after["README.md"] == AROUND.format(EMPTY).encode()  # without --readme


@pytest.mark.usefixtures("sketched")
def test_records_named_make_one_page_beside_the_first(checkout, tmp_path):
    publish()
    elsewhere = tmp_path / "elsewhere"
    named = [configurations(elsewhere, "all/default", "1/keep", **MINE)[0].path]
    named.append(record(elsewhere, **MINE, kind="sizes").path)
    before = files(checkout)
    done(*named)
    assert files(checkout) == before
    assert [path.name for path in elsewhere.iterdir() if path.suffix != ".json"] == [f"{named[0].stem}.html"]
    words = text(named[0].with_suffix(".html"))
    for part in ("Median seconds under each configuration", "1/keep", "python -m bench run --sizes"):
        assert part in words


def test_no_record_at_all_is_refused(checkout):
    assert "There is no record yet. Make one with python -m bench run." in refused(checkout)
    assert "no_such.json cannot be read" in refused(checkout, "no_such.json")


@pytest.mark.parametrize("readme_too", [(), ("--readme",)])
@pytest.mark.parametrize(
    ("metadata", "size", "says"),
    [
        ({"cpu_model_name": "Another CPU"}, None, "are not of one machine and one data set"),
        ({}, 200, "sizes.json.gz is not a complete gzip file"),
    ],
)
def test_what_makes_no_page_is_refused_before_any_is_written(checkout, metadata, size, says, readme_too):
    publish("good", cpu_count=3)  # of whose page nothing is written either
    publish()
    path = publish(**metadata, kind="sizes")
    path.write_bytes(path.read_bytes()[:size])
    record(model.LOCAL, **MINE)
    assert says in refused(checkout, *readme_too)


# The README.


@pytest.mark.usefixtures("sketched")
def test_the_results_are_between_the_markers_and_everything_else_stays():
    publish("b"), publish("a", cpu_count=64)
    assert str(readme.README) in done("--readme").replace("\n", "")
    whole = readme.README.read_bytes().decode()
    before, after = AROUND.split("{}")
    assert whole.startswith(before + readme.BEGIN)
    assert whole.endswith(readme.END + "\n" + after)
    results = whole.partition(readme.BEGIN)[2].partition(readme.END)[0]
    assert results.count("\nOn mine, quick is 100× as fast as the loops (100× to 100×).\n") == 2
    assert re.search(r"\nC1 much less code +undetermined", results)
    assert results.count("results/a/side_by_side.svg") == 2  # the picture, and the link to it
    assert "results/b/side_by_side.svg" not in results
    for machine in "ab":
        assert f"results/{machine}/speedup.svg" in results
        assert f"[`results/{machine}/report.html`](results/{machine}/report.html)" in results
    assert "### A Fine(R) CPU, 2 cores" in results
    assert "| `quick` |  | 4.00 ms |" in results
    assert (
        "PyTorch not installed; all threads, default allocator; rounds paired, 6 processes per kernel; commit c0ffee."
        in results
    )
    assert results.count("\n\nNo GPU recorded yet. The verdict on every claim") == 2
    for rows in re.findall(r"(?:^\|.*\n)+", results, flags=re.MULTILINE):
        assert len({line.count("|") for line in rows.splitlines()}) == 1


@pytest.mark.usefixtures("sketched")
def test_the_readme_is_of_the_published_records_whatever_it_was_and_whatever_is_named(checkout):
    publish()
    named = record(model.LOCAL, samples(quick=0.002), **MINE).path
    done("--readme")
    once = readme.README.read_bytes()
    assert b"| `quick` |  | 4.00 ms |" in once
    readme.README.write_bytes(once.replace(b"| `quick` |", b"| `quicker` |"))
    (checkout / "results" / MACHINE / "report.html").unlink()
    done(named, "--readme")
    assert readme.README.read_bytes() == once
    assert named.with_suffix(".html").exists()
    assert (checkout / "results" / MACHINE / "report.html").exists()


@pytest.mark.parametrize("between", ["", f"{readme.END}\n{readme.BEGIN}\n", f"{EMPTY}{readme.END}", EMPTY * 2])
def test_without_a_published_record_and_exactly_one_pair_of_markers_nothing_is_written(checkout, between):
    record(model.LOCAL, **MINE)
    assert "No record is published." in refused(checkout, "--readme")
    publish()
    readme.README.write_bytes(AROUND.format(between).encode())
    expected = f"must have one line {readme.BEGIN} and after it one line {readme.END}. Put them back."
    assert expected in refused(checkout, "--readme")


# The same bytes.


@pytest.fixture
def digits(tmp_path):
    """Digits on disk, and their metadata in a record."""
    folder = write_folder(noise(train=3, valid=4, height=28, width=28), tmp_path / "small")
    problem = make_problem(data.load(folder))
    return folder, digits_metadata.metadata(problem)


def test_the_same_records_give_the_same_bytes_and_are_not_touched(checkout, digits, tmp_path, monkeypatch):
    folder, metadata = digits
    records = [publish(**metadata), publish(**metadata, kind="memory"), record(model.LOCAL, **metadata).path]
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in records]
    for starter in ("run", "Popen", "check_output"):  # Git, say, which would know a checkout from a copy
        monkeypatch.setattr(subprocess, starter, lambda *_, **__: pytest.fail("a process was started"))
    done("--readme", "--data", folder)
    first = files(checkout)
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns("*.html", "*.svg", ".drawn"))
    (copy / "README.md").write_bytes(AROUND.format(EMPTY).encode())
    use_checkout(monkeypatch, copy)
    printed = done("--readme", "--data", folder)
    assert "gallery.svg" in printed
    assert "drawn again" not in printed
    assert "side_by_side" not in readme.README.read_text(encoding="utf-8")  # of these there is neither torch nor NumPy
    assert files(copy) == first
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in records] == before


@pytest.fixture
def captions(monkeypatch):
    """Pages of the captions of two pictures, which are drawn for real."""
    monkeypatch.setattr(charts, "PICTURES", ("sizes", charts.OF_DIGITS))
    monkeypatch.setattr(page, "render", lambda *_, pictures, **__: " ".join(p["caption"] for p in pictures.values()))


@pytest.mark.usefixtures("captions")
def test_without_the_digits_the_gallery_is_left_and_the_command_says_so(checkout, digits):
    folder, metadata = digits
    publish(**metadata)
    done("--data", folder)
    first = files(checkout)
    shutil.rmtree(folder)
    printed = done()
    assert files(checkout) == first
    assert "The picture gallery was not drawn again, because the recorded digits" in printed
    assert "gallery.svg" not in printed
    (checkout / "results" / MACHINE / "gallery.svg").unlink()
    done()  # and where there was none, the page says why
    assert "The recorded digits were not found" in text(checkout / "results" / MACHINE / "report.html")


@pytest.mark.usefixtures("captions")
def test_a_picture_that_cannot_be_drawn_does_not_stay_from_a_former_record(checkout):
    publish()
    by_size = [replace(sample, scope="predict", images=9) for sample in samples() if sample.scope == "baseline"]
    old = publish(taken=by_size, kind="sizes")
    done()
    picture = checkout / "results" / MACHINE / "sizes.svg"
    assert picture.exists()
    old.unlink()
    done()
    assert not picture.exists()
    assert "python -m bench run --sizes" in text(picture.with_name("report.html"))


def test_a_failure_in_drawing_costs_one_picture(checkout, monkeypatch):
    publish(taken=samples(numpy_broadcast=0.01))
    sizes = [replace(sample, scope="predict", images=1) for sample in samples(quick=1e-9) if sample.scope == "baseline"]
    publish(taken=sizes, kind="sizes")
    monkeypatch.setattr("bench.report.charts.scopes.draw", lambda shown: 1 / 0)
    assert f"{MACHINE}/report.html" in done()
    words = text(model.LOCAL.parent / MACHINE / "report.html")
    assert re.search(r"Drawing it failed, ZeroDivisionError: division by zero \(test_page.py, line \d+\)\.", words)
    assert "fails its checklist in predict l1" in words
    assert (model.LOCAL.parent / MACHINE / "speedup.svg").exists()
    assert "scopes is not drawn: Drawing it failed" in CliRunner().invoke(__main__.cli, ["plot"]).stdout
    nothing = CliRunner().invoke(__main__.cli, ["plot", str(next(model.LOCAL.parent.glob("*/sizes.json.gz")))])
    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert "sizes is not drawn: " in nothing.stderr


# What is on a page.


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    shown = full_selection(tmp_path_factory.mktemp("full"))
    page.write(shown)
    return shown


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    shown = page_records.alone([record(tmp_path_factory.mktemp("bare"), **MINE)])
    page.write(shown)
    return shown


def test_a_record_over_another_reference_has_every_page_and_picture_that_needs_no_loops(checkout):
    """As a machine's published record, too; nothing on it is called a ratio over the loops."""
    times = {"numpy_broadcast": 0.008, "torch_broadcast@cpu": 0.004, "numpy_in_place": 0.002}
    target = publish(taken=samples(quick=0, python_loops=0, **times, **{"numpy_broadcast~again": 0.008}),
                     reference="numpy_broadcast", kernel_metadata=dict.fromkeys(times, BROADCAST))  # fmt: skip
    done("--readme")
    [shown] = page_records.published()
    words, results = text(shown.page), readme.README.read_text(encoding="utf-8")
    assert [row[:4] for row in table(shown, "mean images and labels, on prepared stacks")] == [
        ["numpy_broadcast", "8.00 ms", "8.00 ms", "1.00×"], ["torch_broadcast@cpu", "4.00 ms", "4.00 ms", "2.00×"],
        ["numpy_in_place", "2.00 ms", "2.00 ms", "4.00×"],
    ]  # fmt: skip
    line = f"C1, C2, C3 are not judged, for they are about {REFERENCE}, which this run left out."
    for written in (words, results):
        assert line in written
        assert REFERENCE not in written.replace(line, "")
    assert [row[0][:2] for row in table(shown, "What the source documents claim")] == sorted(
        {*claims.CLAIMS} - {"C1", "C2", "C3"}
    )
    drawn = {path.stem: svg.described(path.read_text(encoding="utf-8"))[1] for path in shown.page.parent.glob("*.svg")}
    assert {*drawn} == {*charts.PICTURES} - {"ladder", "sizes", "gallery"}
    assert "numpy_in_place is 4.00× as fast" in drawn["side_by_side"]
    assert "numpy_broadcast: 1×, the reference" in drawn["speedup"]
    assert not any(REFERENCE in alt for alt in drawn.values())
    few = record(model.LOCAL, per_class=10, dataset_of=METADATA["dataset_digest"], **MINE)
    assert f"over {REFERENCE}, those of ladder.json.gz over numpy_broadcast. Move one" in refused(
        checkout, target, few.path
    )


def test_a_verdict_has_its_number_and_its_configuration(full):
    ids = re.findall(r'\bid="([^"]*)"', html(full))
    assert {*claims.CLAIMS} <= {*ids}
    assert len(ids) == len({*ids})
    rows = table(full, "What the source documents claim")
    assert len([row for row in rows if row[0].startswith(("C2", "C3"))]) == 2  # their baselines fold away
    for verdict in claims.verdicts(full.speed, full.small):
        part = "" if verdict.baseline or not verdict.about else f"({verdict.about})"
        (row,) = [row for row in rows if row[0].startswith(verdict.claim) and part in row[0]]
        claim, shown, result, why = (" ".join(cell.split()) for cell in row)
        assert claims.CLAIMS[verdict.claim] in claim
        assert verdict.why in f"{result} {why}"
        if verdict.baseline:
            assert f"{verdict.verdict} {verdict.about}: {verdict.number}" in why
        else:
            assert (shown, verdict.number in result, verdict.basis in why) == (verdict.verdict, True, True)


def test_a_page_begins_with_the_answer_and_its_words_explain_themselves(full, bare):
    for shown in (full, bare):
        source, words = html(shown), text(shown.page)
        small = shown.with_small(shown.speed)[1:]
        places = [words.index(sentence) for sentence in answer.sentences(shown.speed, small, shown.scopes)]
        assert places == sorted(places)
        assert places[-1] < words.index("What the words mean")
        targets = re.findall(r'<a href="#([^"]+)"', source)
        assert {*targets} <= {*re.findall(r'\bid="([^"]*)"', source)}
        explained = re.findall(r'<abbr title="([^"]+)">([^<]+)</abbr>', source)
        assert len({meaning for meaning, _ in explained}) == len(explained) >= 6
        for term in page_words.glossary(shown.speed):
            assert f"<dt>{term}</dt>" in source
    assert "here 1.0%. A smaller difference" in text(bare.page)  # the planted A/A control
    assert "A difference of up to 1.0% is the noise floor and not resolved." in text(bare.page)


def test_code_and_what_broadcasting_allocates_are_tables(full):
    assert table(full, "Tokens and lines")[:2] == [
        ["numpy_broadcast", "100", "9", "100×"], ["torch_broadcast@cpu", "100", "9", "133×"],
    ]  # fmt: skip
    rows = {row[0]: row[1:] for row in table(full, "One mean image against all")}
    assert rows["numpy_broadcast"] == ["0 B", "0, 28, 1", "1.00 MB", "2.00 MB", "1.00 MB"]
    assert table(full, "Memory held before a call")[0][:3] == ["python_loops", "mean -", "40"]


def test_nothing_is_asked_of_the_network_and_nothing_is_a_script(full):
    source = html(full)
    assert not re.search(r"<script|@import|<iframe|\bon\w+=", source)
    targets = re.findall(r"""(?:(?:src|href|srcset|action|data)=["']|url\()([^"')]*)""", source)
    assert not [target for target in targets if not target.startswith(("#", "data:"))]


def test_every_picture_says_in_words_and_numbers_what_it_shows(full):
    for name in INLINE:
        figure = html(full).partition(f'<figure id="{name}">')[2].partition("</figure>")[0]
        [alt] = re.findall(r'role="img" aria-label="([^"]*\d[^"]*)"', figure)
        assert re.sub(r"</?li>", " ", figure).count(unescape(alt).split(". ")[0]) >= 2


def test_the_text_of_a_record_is_no_markup(checkout):
    path = record(model.LOCAL, dataset="<b>&amp;</b>", cpu_model_name='"><script>alert(1)</script>').path
    done(path)
    source = path.with_suffix(".html").read_text(encoding="utf-8")
    assert "<script" not in source
    assert "<b>&amp;</b>" not in source
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in source


def test_the_gpu_is_compared_with_the_fastest_cpu_kernel_with_every_transfer(full, bare):
    rows = {row[0]: row[1:] for row in table(full, "The GPU against")}
    fastest = ["torch_broadcast@cpu", "3.00 ms", "torch_broadcast@cuda"]
    assert rows["resident: digits on the device already"] == [*fastest, "20.0 µs", "150×", "150× to 150×"]
    assert rows["end to end, from host memory"][3:5] == ["20.0 µs", "150×"]
    assert rows["cold: the first call of a process"][:3] == ["torch_broadcast@cpu", "103 ms", "torch_broadcast@cuda"]
    # 0.5 s of loading before 3 ms and 20 µs, and before nothing
    assert rows["from files: PNG archive to accuracy"][1:] == [
        "503 ms", "torch_broadcast@cuda", "500 ms", "1.01×", "at most 1.01× (Amdahl)",
    ]  # fmt: skip
    assert "No GPU recorded yet" not in text(full.page)
    assert "No GPU recorded yet." in text(bare.page)
    assert table(bare, "The GPU against") == []


def test_a_small_data_set_has_results_and_verdicts_of_its_own(full):
    assert text(full.page).count("baseline, L1 distance, 10 images per class") == 2  # its table and its checklist
    whole, _, small = html(full).partition("baseline, L1 distance, 10 images per class</h3>")
    assert '<th scope="row">python_tensor_elements</th>' not in whole.rpartition("<h3>baseline, L1 distance</h3>")[2]
    rows = re.findall(r'<th scope="row">(\S+)</th><td class="number">([^<]*)', small.partition("</table>")[0])
    assert rows[:2] == [("python_tensor_elements", "8.00 s"), (REFERENCE, "400 ms")]
    (of_speed,) = [row for row in table(full, "What the source documents claim") if row[0].startswith("C2")]
    assert (
        "It is thousands of times as fast only as loops that index a tensor element by element (4,000×)." in of_speed[2]
    )
    assert "against python_tensor_elements, on 10 images per class: 4,000× as fast" in of_speed[3]


def test_how_to_repeat_it_is_what_was_recorded(full, bare):
    commands = html(full).partition("<pre>")[2].partition("</pre>")[0].splitlines()
    assert "c0ffee" in commands[0]
    for option in ("--sizes 1,100,10000", "--memory", "--full"):
        assert any(line.startswith(f"python -m bench run {option}") for line in commands)
    assert "--full" not in html(bare).partition("<pre>")[2]


def test_a_recorded_command_and_kernels_from_elsewhere_are_what_to_repeat(checkout):
    command = "python -m bench run --processes 6 --kernel quick.py"
    others = f"other.py, quick.py{model.ELSEWHERE}"
    publish(not_in_commit=others, command=command, forced="why & what")
    publish(kind="memory")
    done()
    words = html(page_records.published()[0])
    lines = unescape(words.partition("<pre>")[2].partition("</pre>")[0]).splitlines()
    assert lines[1].endswith(f"this commit does not have as they were run: {others}")
    assert command in lines
    assert "Published by force, in spite of: why &amp; what." in words


def test_the_metadata_and_the_checklist_are_all_there(full):
    rows = dict(row[:2] for row in table(full, "What the record says of machine"))
    for key in ("caches", "governor", "order_seed"):
        assert rows[key] == str(METADATA[key])
    assert "PASS" in text(full.page).partition("The checklist")[2]
    assert "jax_broadcast@cuda unavailable jax is not installed" in text(full.page)


def test_a_table_in_markdown_keeps_its_cells():
    lines = Grid(("a|b", "c"), [("1|2", "x")], right=["c"]).markdown().splitlines()
    assert lines == ["| a∣b | c |", "| --- | ---: |", "| 1∣2 | x |"]
