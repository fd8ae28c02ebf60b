"""Fixtures of several tests of `data`."""

import gc
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import settings

import data
from data import sources
from data.tests.builders import small_set, write


@pytest.fixture(scope="session")
def drawn():
    return data.load("drawn")


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """The digits of `small_set`, from a folder."""
    return data.load(write(tmp_path_factory.mktemp("plain") / "plain", small_set()))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, no MNIST_SAMPLE, and no published archive in reach."""
    folder = tmp_path / "cache"
    monkeypatch.delenv(sources.VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(folder))
    monkeypatch.setattr(sources, "URL", "http://127.0.0.1:9/mnist_sample.tgz")  # port 9 refuses
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def server():
    """Serve `server.content` and count requests; `server.claimed` is the announced length, if set."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests += 1
            self.send_response(server.status)
            self.send_header("Content-Length", str(server.claimed or len(server.content)))
            self.end_headers()
            self.wfile.write(server.content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.claimed, server.status, server.requests = b"", None, 200, 0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # pooch leaves the socket of a failed download to the collector


settings.register_profile("shared machines", deadline=None)  # tests do not test speed
settings.load_profile("shared machines")
