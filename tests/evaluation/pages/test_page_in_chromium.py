"""The page in a real browser: it loads cleanly, sorts, enlarges, and fits a telephone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from headless_chromium import Tab, chromium_tab
from page_sets import HOSTILE, a_report, scenes, write_pictures

from pgan_toolkit.evaluation import ImageStream, StreamSettings
from pgan_toolkit.evaluation.pages import look_at, write_html

pytestmark = pytest.mark.slow
FIRST_PICTURE = "document.querySelector('button.enlarge')"
HEADING = (
    "[...document.querySelectorAll('table[data-sortable] th')].find(t => t.innerText == 'Value')"
)
VALUES = "[...document.querySelectorAll('table[data-sortable] tbody td:nth-child(2)')].slice(0, 3)"

# Of each element that shows text: its contrast with what is behind it, by WCAG 2.
CONTRASTS = """(() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    const shows = [...e.childNodes].some((n) => n.nodeType == 3 && n.textContent.trim());
    if (!shows || !e.getClientRects().length || e.closest("title, desc")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [e.tagName == "text" ? style.fill : style.color].map(channels)
      .map(light).concat(light(behind(e))).sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.tagName + ": " + e.textContent.slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0]);
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    name = HOSTILE.replace("/", "-")
    real = write_pictures(folder / "real", scenes(0, 30), name=name)
    fake = write_pictures(folder / "fake", scenes(1, 30) // 2)
    streams = [ImageStream(each, StreamSettings(mode="quiet")) for each in (real, fake)]
    write_html(a_report(hostile=HOSTILE), folder / "page.html", look_at(*streams))
    return folder / "page.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium_tab(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab, page: Path) -> Tab:
    browser.errors.clear()
    browser.requests.clear()
    browser.blocked.clear()
    browser.colours("light")
    browser.resize(1200)
    browser.open(page)
    return browser


def test_it_loads_without_a_word_and_asks_for_nothing(tab: Tab, page: Path) -> None:
    assert tab.errors == []
    assert {r for r in tab.requests if not r.startswith("data:")} == {page.as_uri()}
    shown = "[...document.images].every(i => !i.getAttribute('src') || i.naturalWidth > 0)"
    assert tab.run(shown)


def test_what_slips_in_does_not_run(tab: Tab) -> None:
    """The policy refuses a script, a handler and a request that somebody had got into the page."""
    tab.run(
        "document.body.insertAdjacentHTML('beforeend', "
        "'<img src=x onerror=window.ran=1><img src=https://example.invalid/a.png>');"
        "const s = document.createElement('script'); s.textContent = 'window.ran = 2';"
        "document.body.append(s); 0"
    )
    tab.run("new Promise(done => setTimeout(done, 200))")
    assert tab.run("window.ran === undefined")
    assert len(tab.errors) >= 3
    assert tab.blocked == ["csp", "csp"]


def test_a_table_sorts_by_its_heading_and_back(tab: Tab) -> None:
    values = f"{VALUES}.map(c => Number(c.dataset.order))"
    assert tab.run(values) == [9.5, 12, 7]
    assert tab.run(f"{HEADING}.getAttribute('aria-sort')") == "none"
    tab.run(f"{HEADING}.querySelector('button').click()")
    assert tab.run(values) == [7, 9.5, 12]
    assert tab.run(f"{HEADING}.getAttribute('aria-sort')") == "ascending"
    tab.run(f"{HEADING}.querySelector('button').focus()")
    tab.press("Enter")
    assert tab.run(values) == [12, 9.5, 7]
    assert tab.run(f"{HEADING}.getAttribute('aria-sort')") == "descending"


def test_a_picture_enlarges_by_keyboard_and_closes_by_escape(tab: Tab) -> None:
    is_open = "document.querySelector('dialog').open"
    large = "document.querySelector('dialog img')"
    assert not tab.run(is_open)
    tab.run(f"{FIRST_PICTURE}.focus()")
    tab.press("Enter")
    assert tab.run(is_open)
    assert tab.run(f"{large}.src == {FIRST_PICTURE}.querySelector('img').src")
    assert tab.run(f"{large}.clientWidth >= 300")
    first = tab.run(f"{large}.alt")
    tab.press("ArrowRight")
    assert tab.run(f"{large}.alt") != first
    tab.press("ArrowLeft")
    assert tab.run(f"{large}.alt") == first
    tab.press("Escape")
    assert not tab.run(is_open)
    assert tab.run(f"document.activeElement === {FIRST_PICTURE}")


def test_the_first_key_reaches_the_skip_link(tab: Tab) -> None:
    tab.press("Tab")
    assert tab.run("document.activeElement.className") == "skip"
    assert tab.run("document.activeElement.getBoundingClientRect().left >= 0")
    tab.press("Enter")
    assert tab.run("location.hash") == "#main"


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_window(tab: Tab, width: int) -> None:
    tab.resize(width, phone=width < 500)
    assert tab.run("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(tab: Tab, scheme: str) -> None:
    tab.colours(scheme)
    dark = tab.run("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    weakest = tab.run(CONTRASTS)
    assert len(weakest) > 100
    assert [entry for entry in weakest if entry[0] < 4.5] == []


def test_on_paper_everything_is_open(tab: Tab) -> None:
    tab.call("Page.printToPDF")
    assert tab.run("[...document.querySelectorAll('details')].every(d => d.open)")


def test_headings_stand_above_what_they_name(tab: Tab) -> None:
    """On the side of the column's numbers; on paper nobody is told to press them."""
    aligned = f"getComputedStyle({HEADING}.querySelector('button')).textAlign"
    assert tab.run(aligned) == "right"
    caption = "document.querySelector('table[data-sortable] caption')"
    hint = f"getComputedStyle({caption}, '::after').content"
    assert "press a heading" in tab.run(hint)
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run(hint) == "none"
    tab.call("Emulation.setEmulatedMedia", media="")
