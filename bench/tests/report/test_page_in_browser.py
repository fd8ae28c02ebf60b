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


@pytest.mark.parametrize(("width", "columns"), [(390, 1), (1280, 2)])
def test_the_page_does_not_scroll_sideways_and_code_is_in_columns_where_there_is_room(opened, width, columns):
    opened.set_viewport_size({"width": width, "height": 900})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    left = opened.evaluate("[...document.querySelectorAll('.code pre')].map(one => one.getBoundingClientRect().left)")
    assert (len(left), len({*left})) == (6, columns)


def test_at_1280_pixels_no_table_hides_a_column_and_the_page_is_short_without_its_details(opened):
    opened.set_viewport_size({"width": 1280, "height": 900})
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    assert opened.evaluate("document.documentElement.scrollHeight") <= 6000
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    wide = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth).length"
    assert opened.evaluate(wide) == 0


def test_every_picture_is_there(opened):
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    for name in charts.PICTURES[1:]:  # the first is on the page as text
        box = opened.locator(f"figure#{name} svg").bounding_box()
        assert (box["width"] > 300, box["height"] > 100) == (True, True), name
