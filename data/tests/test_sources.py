"""Where digits come from: the order of `auto`, the download with its checksum, and sources that never fall back."""

import hashlib

import pytest

import data
from data import sources
from data.tests.builders import refusal, small_set, tar, write

FILES = {f"mnist_sample/{name}": content for name, content in small_set().items()}
DRAWN = {
    split: {name: {"1.png": FILES[f"mnist_sample/{split}/{name}/{number}.png"]} for name in "37"}
    for split, number in (("train", 1), ("valid", 9))
}


@pytest.fixture
def four_drawn(monkeypatch):
    """Draw only four images; test_drawn.py tests the drawing itself."""
    monkeypatch.setattr(sources.drawn, "draw", lambda: DRAWN)


@pytest.fixture
def no_drawing(monkeypatch):
    monkeypatch.setattr(sources.drawn, "draw", lambda: pytest.fail("fell back to drawn digits"))


@pytest.fixture
def published(cache, server, monkeypatch):
    """A published archive in reach, with its right checksum."""
    server.content = tar(FILES, packed="gz")
    monkeypatch.setattr(sources, "URL", f"http://127.0.0.1:{server.server_port}/mnist_sample.tgz")
    monkeypatch.setattr(sources, "MD5", hashlib.md5(server.content).hexdigest())
    return server


def load(source="auto"):
    """Return the digits and the notices."""
    notices = []
    return data.load(source, notices.append), notices


def in_cache(cache):
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


@pytest.mark.usefixtures("published", "no_drawing")
def test_auto_takes_the_variable_first(tmp_path, monkeypatch):
    path = write(tmp_path / "mine.zip", small_set("abc"))
    monkeypatch.setenv("MNIST_SAMPLE", str(path))
    digits, notices = load()
    assert (digits.name, digits.classes, notices) == ("mine", ("a", "b", "c"), [])


@pytest.mark.usefixtures("published", "no_drawing")
@pytest.mark.parametrize("content", [None, b"no archive"])
def test_a_bad_variable_is_an_error_and_never_falls_back(tmp_path, monkeypatch, content):
    path = tmp_path / "mine.tgz"
    if content:
        path.write_bytes(content)
    monkeypatch.setenv("MNIST_SAMPLE", str(path))
    assert refusal("auto").startswith(f"{path}: ")


@pytest.mark.usefixtures("no_drawing")
@pytest.mark.parametrize("source", ["auto", "mnist_sample"])
def test_the_published_archive_is_downloaded_once(published, cache, monkeypatch, source):
    monkeypatch.setenv("MNIST_SAMPLE", "" if source == "auto" else "nowhere")  # an empty one counts as unset
    digits, notices = load(source)
    assert (digits.name, digits.classes) == ("mnist_sample", ("3", "7"))
    assert notices == [f"Downloaded {sources.URL} to {cache}"]
    assert in_cache(cache) == ["mnist_sample.tgz"]
    monkeypatch.setattr(sources, "URL", "http://127.0.0.1:9/gone.tgz")
    cached, notices = load(source)
    assert (cached.digest, notices, published.requests) == (digits.digest, [], 1)


@pytest.mark.usefixtures("no_drawing")
def test_a_damaged_copy_is_downloaded_anew(published, cache):
    cache.mkdir()
    (cache / "mnist_sample.tgz").write_bytes(published.content[:-1])
    assert load()[0].train_counts == [2, 2]
    assert (cache / "mnist_sample.tgz").read_bytes() == published.content


@pytest.mark.usefixtures("cache", "four_drawn")
def test_notices_go_to_standard_error(capsys):
    data.load()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("These digits are drawn")


BAD_DOWNLOADS = {
    "wrong checksum": ({"content": b"!"}, f"but got {hashlib.md5(b'!').hexdigest()}"),
    "cut off": ({"claimed": 10**6}, "cannot be reached (ChunkedEncodingError)"),
    "not found": ({"status": 404}, "cannot be reached (HTTPError)"),
    "refused": ({}, "cannot be reached (ConnectionError)"),
}


@pytest.mark.usefixtures("four_drawn")
@pytest.mark.parametrize("fault", BAD_DOWNLOADS)
def test_a_bad_download_leaves_nothing_and_is_an_error_or_why_auto_draws(published, cache, monkeypatch, fault):
    spoiled, reason = BAD_DOWNLOADS[fault]
    vars(published).update(spoiled)
    if fault == "refused":
        monkeypatch.setattr(sources, "URL", "http://127.0.0.1:9/mnist_sample.tgz")
    message = refusal("mnist_sample")
    assert message.startswith(sources.URL)
    assert reason in message
    digits, (notice,) = load()
    assert (digits.name, digits.train_counts) == ("drawn", [1, 1])
    assert notice.startswith(f"These digits are drawn, not MNIST: {sources.URL}")
    assert reason in notice
    assert f"set MNIST_SAMPLE to a copy of {sources.URL}" in notice
    assert in_cache(cache) == []


@pytest.mark.usefixtures("published", "no_drawing")
def test_a_cache_that_cannot_be_made_is_an_error(cache):
    cache.write_bytes(b"a file stands where the folder should")
    message = refusal("mnist_sample")
    assert message.startswith(f"{sources.URL}: ")
    assert str(cache) in message


@pytest.mark.usefixtures("published", "four_drawn")
def test_the_variable_concerns_auto_alone_and_a_name_that_is_no_source_is_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_SAMPLE", str(tmp_path / "nowhere"))
    assert load("drawn")[0].name == "drawn"
    assert load(write(tmp_path / "set", small_set()))[0].name == "set"
    for name in ("mnist_sampel", "Drawn", "AUTO"):
        assert refusal(name).startswith(f"{name}: cannot be read")


def test_a_user_without_a_home_has_a_cache(monkeypatch):
    pwd = pytest.importorskip("pwd")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.getpwnam("nobody at all"))
    for name in ("HOME", "XDG_CACHE_HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MNIST_SAMPLE", raising=False)
    assert sources._cached().is_absolute()
    data.at_hand()
