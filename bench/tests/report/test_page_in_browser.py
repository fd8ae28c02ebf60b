"""The page as a browser shows it: nothing is asked of the network, nothing complains, nothing is cut off."""

import shutil

import pytest

from bench.report import charts
from bench.report import page as report
from bench.tests.builders_cases import full_case

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return an open page of a case that has everything, with what it said and asked for."""
    if BROWSER is None:
        pytest.skip("no Chromium here; on Debian: apt install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: make setup")
    found = full_case(tmp_path_factory.mktemp("page"))
    report.write(found)
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page()
        opened.said, opened.asked = [], []
        opened.on("console", lambda message: opened.said.append(message.text))
        opened.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.on("request", lambda request: opened.asked.append(request.url))
        opened.goto(found.page.as_uri())
        yield opened
        browser.close()


def test_nothing_complains_and_nothing_is_asked_of_the_network(page):
    assert page.said == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in page.asked if url.startswith("file:")]) == 1  # the page itself


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_does_not_scroll_sideways(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", charts.PICTURES)
def test_every_picture_is_there(page, name):
    box = page.locator(f"figure#{name} svg").bounding_box()
    assert box["width"] > 300
    assert box["height"] > 100
    assert len(page.locator(f"figure#{name} [role=img]").get_attribute("aria-label")) > 40
