"""The page as a browser shows it: nothing is asked of the network, nothing complains, nothing is cut off."""

import shutil

import pytest

from bench.report import charts, page
from bench.tests.builders_selections import full_selection

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Return an open page of a selection that has everything, with its messages and its requests."""
    if BROWSER is None:
        pytest.skip("no Chromium here; on Debian: apt install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: make setup")
    shown = full_selection(tmp_path_factory.mktemp("page"))
    page.write(shown)
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.messages, tab.requests = [], []
        tab.on("console", lambda message: tab.messages.append(message.text))
        tab.on("pageerror", lambda error: tab.messages.append(str(error)))
        tab.on("request", lambda request: tab.requests.append(request.url))
        tab.goto(shown.page.as_uri())
        yield tab
        browser.close()


def test_nothing_complains_and_nothing_is_asked_of_the_network(opened):
    assert opened.messages == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in opened.requests if url.startswith("file:")]) == 1  # the page itself


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_does_not_scroll_sideways(opened, width):
    opened.set_viewport_size({"width": width, "height": 900})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", charts.PICTURES)
def test_every_picture_is_there(opened, name):
    box = opened.locator(f"figure#{name} svg").bounding_box()
    assert box["width"] > 300
    assert box["height"] > 100
    assert len(opened.locator(f"figure#{name} [role=img]").get_attribute("aria-label")) > 40
