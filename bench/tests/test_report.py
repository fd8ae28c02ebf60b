"""The page and the README's results: from the records alone, the same bytes every time, or a refusal and no byte."""

import gzip
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape

import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import data
from bench import __main__, case, charts, claims, evidence, publishing, reading, readme, records, report, source
from bench.charts import Drawing, NotDrawn
from bench.grid import Grid
from bench.kernel import REFERENCE
from bench.problem import pose
from bench.tests import builders_records
from bench.tests.builders import noise, write_folder
from bench.tests.builders_cases import full_case
from bench.tests.builders_records import FACTS, samples

AROUND = "# Title\r\n\nBefore, ¼ × \t \n{}after.  \nNo end of line"
EMPTY = f"{readme.BEGIN}\n{readme.END}\n"
MACHINE = "a-fine-cpu-2-cores"


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """An empty checkout: a README with markers, and no record; no digits are at hand."""
    root = tmp_path / "checkout"
    stand_in(monkeypatch, root)
    records.LOCAL.mkdir(parents=True)
    readme.README.write_bytes(AROUND.format(EMPTY).encode())
    monkeypatch.setattr(data, "at_hand", lambda: None)
    return root


def stand_in(monkeypatch, root):
    monkeypatch.setattr(records, "LOCAL", root / "results" / "local")
    monkeypatch.setattr(readme, "ROOT", root)
    monkeypatch.setattr(readme, "README", root / "README.md")


@pytest.fixture
def sketched(monkeypatch):
    """Pictures that are drawn at once, of a name alone."""

    def draw(name, shown):
        if name == "gallery" and shown.problem is None:
            raise NotDrawn("the digits are not at hand")
        return Drawing(Figure(), f"What {name} is.", f"{name}: 100 × [{shown.speed.condition}]")

    def svg(drawing):
        said = f"<dc:title>{drawing.caption}</dc:title><dc:description>{drawing.alt}</dc:description>"
        return f"<svg><metadata>{said}</metadata></svg>"

    def save(drawing, stem):
        paths = [stem.with_name(f"{stem.name}{suffix}") for suffix in (".svg", ".png")]
        for path in paths:
            path.write_text(svg(drawing))
        return paths

    monkeypatch.setattr(charts, "draw", draw)
    monkeypatch.setattr(report.files, "svg", svg)
    monkeypatch.setattr(report.files, "save", save)


def write(folder, *arguments, **facts):
    """Write a record, of digits that nobody can draw again; of memory where the facts say so."""
    facts = {"dataset": "mine", **facts}
    if facts.get("kind") == "memory":
        return builders_records.write_memory(folder, **facts)
    return builders_records.write(folder, *arguments, **facts)


def publish(slug="x", machine=MACHINE, taken=None, **facts):
    """Publish a record and return its path."""
    path = write(records.LOCAL, taken, **facts)
    target = records.LOCAL.parent / machine / f"2026-11-21-{slug}.json.gz"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
    return target


def invoke(*arguments):
    return CliRunner().invoke(__main__.cli, ["report", *map(str, arguments)])


def files(folder):
    """Return the bytes of every file below a folder, by name."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def refused(checkout, *arguments):
    """Return what `report` said, which must be one sentence or two, with nothing written."""
    before = files(checkout)
    done = invoke(*arguments)
    assert done.exit_code == 2, done.output
    assert files(checkout) == before
    assert done.stdout == ""
    (said,) = done.stderr.splitlines()
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
def test_every_published_machine_and_the_newest_local_record_have_a_page(checkout):
    publish(machine="b"), publish(machine="a", cpu_count=64)
    older, newer = write(records.LOCAL), write(records.LOCAL)
    done = invoke()
    assert done.exit_code == 0, done.output
    pages = [path for path in files(checkout) if path.endswith(".html")]
    assert pages == ["results/a/report.html", "results/b/report.html", f"results/local/{newer.stem}.html"]
    assert "64 cores" in text(checkout / pages[0])
    assert "64 cores" not in text(checkout / pages[1])
    for name in charts.PICTURES:
        if name != "gallery":
            assert {(checkout / "results" / "a" / f"{name}{suffix}").exists() for suffix in (".svg", ".png")} == {True}
    assert sorted(path.suffix for path in records.LOCAL.iterdir()) == [".html", ".json", ".json"]  # pictures inline
    assert older.exists()
    assert readme.README.read_bytes() == AROUND.format(EMPTY).encode()  # without --readme


@pytest.mark.usefixtures("sketched")
def test_records_named_make_one_page_beside_the_first(checkout, tmp_path):
    publish()
    elsewhere = tmp_path / "elsewhere"
    named = [write(elsewhere, threads="1"), write(elsewhere), write(elsewhere, kind="sizes")]
    before = files(checkout)
    done = invoke(*named)
    assert done.exit_code == 0, done.output
    assert files(checkout) == before
    assert [path.name for path in elsewhere.iterdir() if path.suffix != ".json"] == [f"{named[0].stem}.html"]
    said = text(named[0].with_suffix(".html"))
    assert "Median seconds under each condition" in said
    assert "1/default" in said
    assert "From how many images on" in said


def test_no_record_at_all_is_refused(checkout):
    assert "there is no record yet; python -m bench run makes one" in refused(checkout)
    assert "no_such.json: cannot be read (No such file or directory); python -m bench run" in refused(
        checkout, "no_such.json"
    )


@pytest.mark.parametrize("readme_too", [(), ("--readme",)])
@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"cpu_model_name": "Another CPU"}, "one page is of one machine"),
        ({"dataset_digest": "cd" * 32}, "one data set: move one of them to a folder of its own"),
    ],
)
def test_what_does_not_belong_together_is_refused(checkout, facts, says, readme_too):
    publish("good", machine="another", cpu_count=3)  # of whose page nothing is written either
    publish("a"), publish("b", **facts, kind="sizes")
    write(records.LOCAL)
    assert says in refused(checkout, *readme_too)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda packed: packed[:-20], "b.json.gz: no gzip file, or cut short"),
        (lambda packed: packed[:200], "copy or record it anew"),
        (lambda packed: gzip.compress(gzip.decompress(packed).replace(b'"schema":1', b'"schema":2')), "has schema 2"),
        (lambda packed: gzip.compress(b"{}"), "name a record"),
    ],
)
def test_a_published_record_that_cannot_be_read_is_refused_by_name(checkout, spoil, says):
    publish("a")
    bad = publish("b")
    bad.write_bytes(spoil(bad.read_bytes()))
    assert says in refused(checkout)
    assert "2026-11-21-b.json.gz: " in refused(checkout, "--readme")


def test_what_cannot_be_read_is_refused_when_it_is_named(checkout):
    path = write(records.LOCAL)
    path.write_text(path.read_text()[:-9])
    assert "not JSON, or cut short" in refused(checkout, path)


@pytest.mark.usefixtures("sketched")
def test_a_page_that_cannot_be_finished_leaves_the_former_one(checkout, monkeypatch):
    publish()
    assert invoke().exit_code == 0
    before = files(checkout)
    monkeypatch.setattr(report, "render", lambda *_, **__: "half, and then what cannot be written \ud800")
    assert isinstance(invoke().exception, UnicodeEncodeError)
    assert files(checkout) == before


# The README.


@pytest.mark.usefixtures("sketched")
def test_the_results_stand_between_the_markers_and_everything_else_stays(checkout):
    publish(machine="b"), publish(machine="a", cpu_count=64)
    done = invoke("--readme")
    assert done.exit_code == 0, done.output
    assert str(readme.README) in done.stdout.replace("\n", "")
    whole = readme.README.read_bytes().decode()
    before, after = AROUND.split("{}")
    assert whole.startswith(before + readme.BEGIN)
    assert whole.endswith(readme.END + "\n" + after)
    results = whole.partition(readme.BEGIN)[2].partition(readme.END)[0]
    for claim in claims.CLAIMS:
        assert f"| {claim} " in results
    assert results.count("results/a/exhibits.svg") == 2  # the picture, and the link to it
    assert "results/b/exhibits.svg" not in results
    for machine in "ab":
        assert f"results/{machine}/speedup.svg" in results
        assert f"[`results/{machine}/report.html`](results/{machine}/report.html)" in results
    assert "### A Fine(R) CPU, 2 cores" in results
    assert "| quick | 4.00 ms |" in results
    assert "PyTorch not installed; condition all/default, paired, 6 process sets; commit c0ffee." in results
    assert results.count("\n\nNo GPU recorded yet. The page with every picture") == 2
    for rows in re.findall(r"(?:^\|.*\n)+", results, flags=re.MULTILINE):
        assert len({line.count("|") for line in rows.splitlines()}) == 1


@pytest.mark.usefixtures("sketched")
def test_what_is_there_already_is_replaced(checkout):
    publish()
    assert invoke("--readme").exit_code == 0
    once = readme.README.read_bytes()
    readme.README.write_bytes(once.replace(b"| quick |", b"| quicker |"))
    assert invoke("--readme").exit_code == 0
    assert readme.README.read_bytes() == once


@pytest.mark.usefixtures("sketched")
def test_the_readme_is_of_what_is_published_whatever_else_a_page_is_of(checkout):
    publish()
    named = write(records.LOCAL, samples(quick=0.002))
    done = invoke(named, "--readme")
    assert done.exit_code == 0, done.output
    assert named.with_suffix(".html").exists()
    assert (checkout / "results" / MACHINE / "report.html").exists()
    assert "| quick | 4.00 ms |" in readme.README.read_bytes().decode()


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
    write(records.LOCAL)
    assert "no record is published" in refused(checkout, "--readme")
    assert "python -m bench publish" in refused(checkout, "--readme")


# The same bytes.


@pytest.fixture
def digits(tmp_path):
    """Digits on disk, and what a record says of them."""
    folder = write_folder(noise(train=3, valid=4, height=28, width=28), tmp_path / "small")
    posed = pose(data.load(folder))
    counts = {"train_counts": "3 6", "valid_counts": "4 5", "classes": "3 5", "image_pixels": 784}
    return folder, {**evidence.facts(posed), **counts, "dataset": posed.name, "dataset_digest": posed.digest}


def test_the_same_records_give_the_same_bytes_and_are_not_touched(checkout, digits, tmp_path, monkeypatch):
    folder, facts = digits
    found = [publish("a", **facts), publish("b", **facts, threads="1"), publish("c", **facts, kind="memory")]
    found.append(write(records.LOCAL, None, **facts))
    times = [(path.read_bytes(), path.stat().st_mtime_ns) for path in found]
    for starter in ("run", "Popen", "check_output"):  # Git, say, which would tell a checkout from a copy
        monkeypatch.setattr(subprocess, starter, lambda *_, **__: pytest.fail("a process was started"))
    done = invoke("--readme", "--data", folder)
    assert done.exit_code == 0, done.output
    first = files(checkout)
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy)
    for path in copy.rglob("*"):
        if path.suffix in (".html", ".svg", ".png"):
            path.unlink()
    (copy / "README.md").write_bytes(AROUND.format(EMPTY).encode())
    stand_in(monkeypatch, copy)
    done = invoke("--readme", "--data", folder)
    assert done.exit_code == 0, done.output
    assert "gallery" in done.output
    assert "Left as they are" not in done.output
    assert "exhibits" not in readme.README.read_text(encoding="utf-8")  # of these there is neither torch nor NumPy
    assert files(copy) == first
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in found] == times


def test_without_the_digits_the_gallery_is_left_and_that_is_said(checkout, digits, tmp_path):
    folder, facts = digits
    publish("a", **facts)
    assert invoke("--data", folder).exit_code == 0
    first = files(checkout)
    assert f"results/{MACHINE}/gallery.png" in first
    shutil.rmtree(folder)
    done = invoke()
    assert done.exit_code == 0, done.output
    assert files(checkout) == first
    assert (
        "Left as they are: gallery and broadcasting, for the digits that were recorded are not at hand" in done.stdout
    )
    for name in charts.OF_DIGITS:
        assert f"{name}.svg" not in done.stdout
        for suffix in ("svg", "png"):
            (checkout / "results" / MACHINE / f"{name}.{suffix}").unlink()
    assert invoke().exit_code == 0  # and where there was none, the page says why
    assert "the digits are not at hand, or are others than were recorded" in text(
        checkout / "results" / MACHINE / "report.html"
    )


def test_a_picture_that_the_record_does_not_allow_is_not_that_of_a_former_one(checkout):
    publish("a")
    old = publish("b", kind="memory")
    assert invoke().exit_code == 0
    picture = checkout / "results" / MACHINE / "memory.svg"
    assert picture.exists()
    old.unlink()
    assert invoke().exit_code == 0
    assert not picture.exists()
    assert not picture.with_suffix(".png").exists()
    assert "python -m bench run --memory" in text(checkout / "results" / MACHINE / "report.html")


# What is on a page.


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    found = full_case(tmp_path_factory.mktemp("full"))
    report.write(found)
    return found


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bare")
    found = case.of([reading.read(write(folder))], folder / "report.html")
    report.write(found)
    return found


def test_every_claim_has_a_row_of_its_own(full, bare):
    for shown in (full, bare):
        html = shown.page.read_text(encoding="utf-8")
        for claim in claims.CLAIMS:
            assert html.count(f'<tr id="{claim}">') == 1
        ids = re.findall(r'\bid="([^"]*)"', html)
        assert len(ids) == len(set(ids))


def test_a_verdict_stands_with_its_number_and_its_condition(full):
    rows = table(full.page, "What the source documents claim")[1:]
    for ruling, row in zip(claims.rulings(full.speed), rows, strict=True):
        assert row[0].startswith(f"{ruling.claim} {claims.CLAIMS[ruling.claim]}")
        assert ruling.about in row[0]
        assert row[1:3] == [ruling.verdict, ruling.number]
        assert ruling.why in row[3]
        assert not ruling.condition or f"[{ruling.condition}]" in row[3]


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
        if "<svg" in figure:
            alt = re.search(r'role="img" aria-label="([^"]*)"', figure)[1]
            assert re.search(r"\d", alt), name
            assert f"<p>{alt}</p>" in figure
        else:
            assert '<figcaption class="missing">' in figure
    drawn = re.findall(r'<figure id="(\w+)">\s*<div', html)
    assert set(drawn) >= {"exhibits", "speedup", "scaling", "scopes", "code_size", "memory", "gallery", "broadcasting"}


def test_what_a_record_says_is_no_markup(checkout):
    path = write(records.LOCAL, None, dataset="<b>&amp;</b>", cpu_model_name='"><script>alert(1)</script>')
    done = invoke(path)
    assert done.exit_code == 0, done.output
    html = path.with_suffix(".html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "<b>&amp;</b>" not in html
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in html


def test_the_gpu_stands_beside_the_fastest_cpu_kernel_with_every_transfer(full):
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


def test_without_a_gpu_the_section_says_so(bare, checkout):
    assert "No GPU recorded yet." in text(bare.page)
    assert "The GPU against the fastest exact CPU kernel" not in text(bare.page)


def test_from_files_every_speedup_ends_at_amdahls_limit(full, bare):
    rows = {row[0]: row[1:] for row in table(full.page, "From files: every PNG decoded")[1:]}
    assert rows[REFERENCE] == ["400 ms", "900 ms", "1.00×"]
    assert rows["numpy_broadcast"] == ["4.00 ms", "504 ms", "1.79×"]  # 0.9 / 0.504
    assert rows["Amdahl's limit: loading alone"] == ["", "500 ms", "1.80×"]
    assert "From files" not in text(bare.page)


def test_a_part_of_the_digits_is_shown_and_judged_by_itself(checkout):
    slow = "python_elements"
    facts = {name: {"images_of_class": 20} if name == slow else {} for name in (slow, REFERENCE, "quick")}
    part = [
        replace(each, first=20, images=80, seconds=each.seconds / 4)
        for each in samples(**{slow: 8.0, "torch_broadcast@cpu": 0.004})
        if each.scope == "baseline"
    ]
    path = write(records.LOCAL, [*samples(**{"torch_broadcast@cpu": 0.004}), *part], (), facts,
                 exact_l1_first_20="30/40, 31/41", exact_l2_first_20="32/40, 33/41")  # fmt: skip
    done = invoke(path)
    assert done.exit_code == 0, done.output
    page = path.with_suffix(".html")
    said = text(page)
    assert said.count("baseline under L1 on the first 20 images of each class") == 2  # its table and its checklist
    html = page.read_text(encoding="utf-8")
    whole, _, parted = html.partition("on the first 20 images of each class</h3>")
    assert f'<th scope="row">{slow}</th>' not in whole.rpartition("<h3>baseline under L1</h3>")[2]
    rows = re.findall(r'<th scope="row">(\S+)</th><td class="number">([^<]*)', parted.partition("</table>")[0])
    assert rows[:2] == [(slow, "2.00 s"), (REFERENCE, "100 ms")]
    verdicts = {row[0]: row[1:3] for row in table(page, "What the source documents claim")}
    of_part = next(row for row in verdicts if "against python_elements" in row)
    assert "on the first 20 images of each class" in of_part
    assert verdicts[of_part][0] == "supported"
    assert verdicts[of_part][1].startswith("2,000× as fast")


def test_a_kernel_that_has_changed_since_is_marked_stale(checkout, monkeypatch):
    draw = charts.draw
    monkeypatch.setattr(charts, "draw", lambda name, shown: draw(name if name == "speedup" else "gallery", shown))
    known = {REFERENCE: {"source_hash": source.source_hash(source.find(REFERENCE))}}
    taken = samples(numpy_broadcast=0.004)
    pages = []
    for facts in ({}, {"numpy_broadcast": {"source_hash": source.source_hash(source.find("numpy_broadcast"))}}):
        path = write(records.LOCAL, taken, (), {**known, **facts})
        assert invoke(path).exit_code == 0
        pages.append(path.with_suffix(".html").read_text(encoding="utf-8").partition('<figure id="speedup">')[2])
    stale, fresh = (page.partition("</figure>")[0] for page in pages)
    assert "numpy_broadcast" in fresh
    assert "<pattern" in stale  # a hatch
    assert "<pattern" not in fresh
    alts = [re.search(r'aria-label="([^"]*)"', picture)[1] for picture in (stale, fresh)]
    assert ["numpy_broadcast: 100× · 4.00 ms · stale" in alt for alt in alts] == [True, False]


def test_how_to_repeat_it_is_what_was_recorded(full, bare):
    commands = full.page.read_text(encoding="utf-8").partition("<pre>")[2].partition("</pre>")[0].splitlines()
    assert "c0ffee" in commands[0]
    assert any(line.startswith("python -m bench run --sizes 1,100,10000") for line in commands)
    assert any(line.startswith("python -m bench run --memory") for line in commands)
    assert any(line.startswith("python -m bench run --full") for line in commands)
    assert "--full" not in bare.page.read_text(encoding="utf-8").partition("<pre>")[2]


def test_the_facts_and_the_checklist_are_all_there(full):
    rows = dict(row[:2] for row in table(full.page, "What the record says of machine")[1:])
    assert {key: rows[key] for key in FACTS if key in ("caches", "governor", "order_seed")} == {
        "caches": FACTS["caches"], "governor": "performance", "order_seed": "7",
    }  # fmt: skip
    assert json.dumps(rows)
    said = text(full.page)
    assert "every kernel verified before, every timed answer after" in said
    assert "jax_broadcast@cuda unavailable jax is not installed" in said


def test_a_table_in_markdown_keeps_its_cells():
    grid = Grid(("a|b", "c"), [("1|2", "x"), ("|", "||")], right=["c"])
    lines = grid.markdown().splitlines()
    assert [len(line.replace(" | ", "\0").strip("| ").split("\0")) for line in lines] == [2] * 4
    assert lines[1] == "| --- | ---: |"
    assert {line.count("|") for line in lines} == {3}


def test_what_is_published_is_what_the_page_is_of(checkout):
    path = write(records.LOCAL)
    published = publishing.publish(path, "x")
    assert published.parent.name == MACHINE
    path.unlink()
    (found,) = case.published()
    assert (found.published, found.speed.path) == (True, published)
