"""The page and the README's results: from the records alone, the same bytes every time, or a refusal and no byte."""

import gzip
import re
import shutil
import subprocess
from html import unescape

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import data
from bench import __main__
from bench.analysis import claims
from bench.formatting import Grid
from bench.kernel import REFERENCE
from bench.records import model
from bench.report import charts, readme, selection
from bench.report import page as report
from bench.report.charts import Drawing, NotDrawn
from bench.task import margins
from bench.task.problem import make_problem
from bench.tests import builders_records
from bench.tests.builders import noise, write_folder
from bench.tests.builders_cases import full_case
from bench.tests.builders_records import METADATA, configurations, record, samples

AROUND = "# Title\r\n\nBefore, ¼ × \t \n{}after.  \nNo end of line"
EMPTY = f"{readme.BEGIN}\n{readme.END}\n"
MACHINE = "a-fine-cpu-2-cores"
MINE = {"dataset": "mine"}  # digits that nobody can draw again


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """An empty checkout: a README with markers, and no record; no digits are at hand."""
    root = tmp_path / "checkout"
    stand_in(monkeypatch, root)
    model.LOCAL.mkdir(parents=True)
    readme.README.write_bytes(AROUND.format(EMPTY).encode())
    monkeypatch.setattr(data, "at_hand", lambda: None)
    return root


def stand_in(monkeypatch, root):
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
    """Publish a record, of memory where the facts say so, and return its path."""
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
    """Return what `report` printed, which must do what it is asked."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def files(folder):
    """Return the bytes of every file below a folder, by name."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def refused(checkout, *arguments):
    """Return what `report` said, which must be one line, with nothing written."""
    before = files(checkout)
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert files(checkout) == before
    assert result.stdout == ""
    (said,) = result.stderr.splitlines()
    return said.removeprefix("Error: ")


def text(page):
    """Return the words of a page, without its pictures and tags."""
    body = re.sub(r"<(svg|style)\b.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]*>", " ", body)))


def table(page, caption):
    """Return the rows of the table on a page whose caption begins so, as texts of cells."""
    html = page.read_text(encoding="utf-8")
    rows = html.partition(f"<caption>{caption}")[2].partition("</table>")[0].split("<tr")[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in rows]
    return [[unescape(re.sub("<[^>]*>", " ", cell)).strip() for cell in row] for row in cells]


# Which pages.


@pytest.mark.usefixtures("sketched")
def test_every_published_machine_and_the_newest_local_run_have_a_page(checkout):
    publish("b"), publish("a", cpu_count=64)
    record(model.LOCAL, **MINE)
    newer = record(model.LOCAL, **MINE)
    done()
    found = files(checkout)
    pages = [path for path in found if path.endswith(".html")]
    assert pages == ["results/a/report.html", "results/b/report.html", f"results/local/{newer.path.stem}.html"]
    assert ["64 cores" in text(checkout / page) for page in pages] == [True, False, False]
    drawn = [path for path in found if path.startswith("results/a/") and path.endswith((".svg", ".png"))]
    assert drawn == sorted(f"results/a/{name}.svg" for name in charts.PICTURES if name != "gallery")
    assert sorted(path.suffix for path in model.LOCAL.iterdir()) == [".html", ".json", ".json"]  # pictures inline
    assert found["README.md"] == AROUND.format(EMPTY).encode()  # without --readme


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
    said = text(named[0].with_suffix(".html"))
    assert "Median seconds under each configuration" in said
    assert "1/keep" in said
    assert "python -m bench run --sizes" in said


def test_no_record_at_all_is_refused(checkout):
    assert "there is no record yet; python -m bench run makes one" in refused(checkout)
    assert "no_such.json: cannot be read" in refused(checkout, "no_such.json")


def cut_short(path):
    path.write_bytes(path.read_bytes()[:200])


@pytest.mark.parametrize("readme_too", [(), ("--readme",)])
@pytest.mark.parametrize(
    ("metadata", "spoil", "says"),
    [
        ({"cpu_model_name": "Another CPU"}, lambda path: None, "one page is of one machine"),
        ({}, cut_short, "sizes.json.gz: no gzip file, or cut short"),
    ],
)
def test_what_makes_no_page_is_refused_before_any_is_written(checkout, metadata, spoil, says, readme_too):
    publish("good", cpu_count=3)  # of whose page nothing is written either
    publish()
    spoil(publish(**metadata, kind="sizes"))
    record(model.LOCAL, **MINE)
    assert says in refused(checkout, *readme_too)


@pytest.mark.usefixtures("sketched")
def test_a_page_that_cannot_be_finished_leaves_the_former_one(checkout, monkeypatch):
    publish()
    done()
    before = files(checkout)
    monkeypatch.setattr(report, "render", lambda *_, **__: "half, and then what cannot be written \ud800")
    assert isinstance(invoke().exception, UnicodeEncodeError)
    assert files(checkout) == before


# The README.


@pytest.mark.usefixtures("sketched")
def test_the_results_stand_between_the_markers_and_everything_else_stays():
    publish("b"), publish("a", cpu_count=64)
    assert str(readme.README) in done("--readme").replace("\n", "")
    whole = readme.README.read_bytes().decode()
    before, after = AROUND.split("{}")
    assert whole.startswith(before + readme.BEGIN)
    assert whole.endswith(readme.END + "\n" + after)
    results = whole.partition(readme.BEGIN)[2].partition(readme.END)[0]
    for claim in claims.CLAIMS:
        assert f"| {claim} " in results
    assert results.count("results/a/side_by_side.svg") == 2  # the picture, and the link to it
    assert "results/b/side_by_side.svg" not in results
    for machine in "ab":
        assert f"results/{machine}/speedup.svg" in results
        assert f"[`results/{machine}/report.html`](results/{machine}/report.html)" in results
    assert "### A Fine(R) CPU, 2 cores" in results
    assert "| quick | 4.00 ms |" in results
    assert "PyTorch not installed; configuration all/default, paired, 6 processes per kernel; commit c0ffee." in results
    assert results.count("\n\nNo GPU recorded yet. The page with every picture") == 2
    for rows in re.findall(r"(?:^\|.*\n)+", results, flags=re.MULTILINE):
        assert len({line.count("|") for line in rows.splitlines()}) == 1


@pytest.mark.usefixtures("sketched")
def test_the_readme_is_of_what_is_published_whatever_stood_there_and_else_a_page_is_of(checkout):
    publish()
    named = record(model.LOCAL, samples(quick=0.002), **MINE).path
    done("--readme")
    once = readme.README.read_bytes()
    assert b"| quick | 4.00 ms |" in once
    readme.README.write_bytes(once.replace(b"| quick |", b"| quicker |"))
    (checkout / "results" / MACHINE / "report.html").unlink()
    done(named, "--readme")
    assert readme.README.read_bytes() == once
    assert named.with_suffix(".html").exists()
    assert (checkout / "results" / MACHINE / "report.html").exists()


@pytest.mark.usefixtures("sketched")
def test_a_baseline_of_a_small_data_set_is_judged_in_the_readme_too():
    broadcast = {"torch_broadcast@cpu": 0.004}
    publish(taken=samples(**broadcast))
    few = samples(python_tensor_elements=8.0, **broadcast)
    publish(taken=few, dataset_digest="10", per_class=10, dataset_of=METADATA["dataset_digest"])
    done("--readme")
    results = readme.README.read_text(encoding="utf-8")
    (row,) = (line for line in results.splitlines() if "python_tensor_elements" in line)
    assert "10 images per class" in row
    assert "| **supported** | 2,000× as fast" in row
    assert "this table has the fastest kernel alone; 1 more are on the page." in results


@pytest.mark.parametrize(
    "between",
    [
        "", readme.BEGIN, readme.END, f"{readme.END}\n{readme.BEGIN}\n", f"{EMPTY}{readme.END}",
        f"{readme.BEGIN}{EMPTY}", EMPTY * 2, f"{readme.END}{EMPTY}",
    ],
)  # fmt: skip
def test_without_exactly_one_pair_of_markers_nothing_is_written(checkout, between):
    publish()
    readme.README.write_bytes(AROUND.format(between).encode())
    said = refused(checkout, "--readme")
    assert f"expected one line {readme.BEGIN} and after it one line {readme.END}; put them back" in said


def test_without_a_published_record_there_is_nothing_to_write(checkout):
    record(model.LOCAL, **MINE)
    assert "no record is published" in refused(checkout, "--readme")


# The same bytes.


@pytest.fixture
def digits(tmp_path):
    """Digits on disk, and what a record says of them."""
    folder = write_folder(noise(train=3, valid=4, height=28, width=28), tmp_path / "small")
    posed = make_problem(data.load(folder))
    counts = {"train_counts": "3 6", "valid_counts": "4 5", "classes": "3 5", "image_pixels": 784}
    return folder, {**margins.metadata(posed), **counts, "dataset": posed.name, "dataset_digest": posed.digest}


def test_the_same_records_give_the_same_bytes_and_are_not_touched(checkout, digits, tmp_path, monkeypatch):
    folder, metadata = digits
    found = [publish(**metadata), publish(**metadata, kind="memory"), record(model.LOCAL, **metadata).path]
    times = [(path.read_bytes(), path.stat().st_mtime_ns) for path in found]
    for starter in ("run", "Popen", "check_output"):  # Git, say, which would tell a checkout from a copy
        monkeypatch.setattr(subprocess, starter, lambda *_, **__: pytest.fail("a process was started"))
    done("--readme", "--data", folder)
    first = files(checkout)
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy)
    for path in copy.rglob("*"):
        if path.suffix in (".html", ".svg"):
            path.unlink()
    (copy / "README.md").write_bytes(AROUND.format(EMPTY).encode())
    stand_in(monkeypatch, copy)
    said = done("--readme", "--data", folder)
    assert "gallery.svg" in said
    assert "Left as they are" not in said
    assert "side_by_side" not in readme.README.read_text(encoding="utf-8")  # of these there is neither torch nor NumPy
    assert files(copy) == first
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in found] == times


@pytest.fixture
def captions(monkeypatch):
    """Pages of the captions of three pictures, which are drawn for real."""
    monkeypatch.setattr(charts, "PICTURES", ("memory", *charts.OF_DIGITS))
    monkeypatch.setattr(report, "render", lambda *_, pictures, **__: " ".join(p.caption for p in pictures.values()))


@pytest.mark.usefixtures("captions")
def test_without_the_digits_the_gallery_is_left_and_that_is_said(checkout, digits):
    folder, metadata = digits
    publish(**metadata)
    done("--data", folder)
    first = files(checkout)
    shutil.rmtree(folder)
    said = done()
    assert files(checkout) == first
    assert "Left as they are: gallery and broadcasting, for the digits that were recorded are not at hand" in said
    assert not any(f"{name}.svg" in said for name in charts.OF_DIGITS)
    for name in charts.OF_DIGITS:
        (checkout / "results" / MACHINE / f"{name}.svg").unlink()
    done()  # and where there was none, the page says why
    page = checkout / "results" / MACHINE / "report.html"
    assert "the digits are not at hand, or are others than were recorded" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("captions")
def test_a_picture_that_the_record_does_not_allow_is_not_that_of_a_former_one(checkout):
    publish()
    old = publish(kind="memory")
    done()
    picture = checkout / "results" / MACHINE / "memory.svg"
    assert picture.exists()
    old.unlink()
    done()
    assert not picture.exists()
    assert "python -m bench run --memory" in (picture.parent / "report.html").read_text(encoding="utf-8")


# What is on a page.


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    found = full_case(tmp_path_factory.mktemp("full"))
    report.write(found)
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    found = selection.alone([record(tmp_path_factory.mktemp("bare"), **MINE)])
    report.write(found)
    return found


def test_every_claim_has_a_row_of_its_own(full, bare):
    for shown in (full, bare):
        html = shown.page.read_text(encoding="utf-8")
        for claim in claims.CLAIMS:
            assert html.count(f'<tr id="{claim}">') == 1
        ids = re.findall(r'\bid="([^"]*)"', html)
        assert len(ids) == len(set(ids))


def test_a_verdict_stands_with_its_number_and_its_configuration(full):
    rows = table(full.page, "What the source documents claim")[1:]
    for verdict, row in zip(claims.verdicts(full.speed, full.small), rows, strict=True):
        assert row[0].startswith(f"{verdict.claim} {claims.CLAIMS[verdict.claim]}")
        assert verdict.about in row[0]
        assert row[1:3] == [verdict.verdict, verdict.number]
        assert verdict.why in row[3]
        assert not verdict.condition or f"[{verdict.condition}]" in row[3]


def test_nothing_is_asked_of_the_network_and_nothing_is_a_script(full):
    html = full.page.read_text(encoding="utf-8")
    for asks in (r"<script", r"<link(?! rel=\"icon\" href=\"data:,\")", r"@import", r"<iframe", r"\bon\w+="):
        assert not re.search(asks, html), asks
    targets = re.findall(r"""(?:src|href|srcset|action|data)=["']([^"']*)""", html) + re.findall(r"url\(([^)]*)", html)
    assert targets
    assert [each for each in targets if not each.startswith(("#", "data:"))] == []


def test_every_picture_says_in_words_and_numbers_what_it_shows(full):
    html = full.page.read_text(encoding="utf-8")
    for name in charts.PICTURES:
        figure = html.partition(f'<figure id="{name}">')[2].partition("</figure>")[0]
        alt = re.search(r'role="img" aria-label="([^"]*)"', figure)[1]
        assert re.search(r"\d", alt), name
        assert f"<p>{alt}</p>" in figure


def test_what_a_record_says_is_no_markup(checkout):
    path = record(model.LOCAL, dataset="<b>&amp;</b>", cpu_model_name='"><script>alert(1)</script>').path
    done(path)
    html = path.with_suffix(".html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<b>&amp;</b>" not in html
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in html


def test_the_gpu_stands_beside_the_fastest_cpu_kernel_with_every_transfer(full, bare):
    rows = {row[0]: row[1:] for row in table(full.page, "The GPU against")[1:]}
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
    assert table(bare.page, "The GPU against") == []


def test_from_files_every_speedup_ends_at_amdahls_limit(full, bare):
    rows = {row[0]: row[1:] for row in table(full.page, "From files: every PNG decoded")[1:]}
    assert rows[REFERENCE] == ["400 ms", "900 ms", "1.00×"]
    assert rows["numpy_broadcast"] == ["4.00 ms", "504 ms", "1.79×"]  # 0.9 / 0.504
    assert rows["Amdahl's limit: loading alone"] == ["", "500 ms", "1.80×"]
    assert "From files" not in text(bare.page)


def test_a_small_data_set_is_shown_and_judged_by_itself(full):
    said, html = text(full.page), full.page.read_text(encoding="utf-8")
    assert said.count("baseline under L1, 10 images per class") == 2  # its table and its checklist
    whole, _, small = html.partition("baseline under L1, 10 images per class</h3>")
    assert '<th scope="row">python_tensor_elements</th>' not in whole.rpartition("<h3>baseline under L1</h3>")[2]
    rows = re.findall(r'<th scope="row">(\S+)</th><td class="number">([^<]*)', small.partition("</table>")[0])
    assert rows[:2] == [("python_tensor_elements", "8.00 s"), (REFERENCE, "400 ms")]
    verdicts = {row[0]: row[1:3] for row in table(full.page, "What the source documents claim")}
    of_small = next(row for row in verdicts if "C2" in row and "against python_tensor_elements" in row)
    assert "10 images per class" in of_small
    assert verdicts[of_small][0] == "supported"
    assert verdicts[of_small][1].startswith("4,000× as fast")


def test_how_to_repeat_it_is_what_was_recorded(full, bare):
    commands = full.page.read_text(encoding="utf-8").partition("<pre>")[2].partition("</pre>")[0].splitlines()
    assert "c0ffee" in commands[0]
    assert any(line.startswith("python -m bench run --sizes 1,100,10000") for line in commands)
    assert any(line.startswith("python -m bench run --memory") for line in commands)
    assert any(line.startswith("python -m bench run --full") for line in commands)
    assert "--full" not in bare.page.read_text(encoding="utf-8").partition("<pre>")[2]


def test_the_facts_and_the_checklist_are_all_there(full):
    rows = dict(row[:2] for row in table(full.page, "What the record says of machine")[1:])
    assert {key: rows[key] for key in METADATA if key in ("caches", "governor", "order_seed")} == {
        "caches": METADATA["caches"], "governor": "performance", "order_seed": "7",
    }  # fmt: skip
    said = text(full.page)
    assert "every kernel verified before, every timed answer after" in said
    assert "jax_broadcast@cuda unavailable jax is not installed" in said


def test_a_table_in_markdown_keeps_its_cells():
    grid = Grid(("a|b", "c"), [("1|2", "x"), ("|", "||")], right=["c"])
    lines = grid.markdown().splitlines()
    assert [len(line.replace(" | ", "\0").strip("| ").split("\0")) for line in lines] == [2] * 4
    assert lines[1] == "| --- | ---: |"
    assert {line.count("|") for line in lines} == {3}
