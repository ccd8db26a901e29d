"""The page of ``engine report`` in a browser: what moves, what is asked of the network, and that texts stay texts.

Skipped where there is no Chromium, unless REPORT_NEEDS_BROWSER says that there is one.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright
from report_pages import build, report_of, write_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDED = os.environ.get("REPORT_NEEDS_BROWSER") == "1"
pytestmark = pytest.mark.skipif(CHROMIUM is None and not NEEDED, reason="there is no Chromium")

MARK = "window.__injected=1"
PAYLOADS = [
    f"<script>{MARK}</script>",
    f"</script><script>{MARK}</script>",
    f"</textarea><script>{MARK}</script>",
    f"</title><script>{MARK}</script>",
    f"</style><script>{MARK}</script>",
    f"<!--<script>{MARK}</script>-->",
    f"--><script>{MARK}</script>",
    f"]]><script>{MARK}</script>",
    f"<img src=x onerror={MARK}>",
    f"<img src='http://127.0.0.1:9/x.png' onerror='{MARK}'>",
    f"<svg onload={MARK}>",
    f"<svg><script>{MARK}</script></svg>",
    f"<svg><animate onbegin={MARK} attributeName=x dur=1s>",
    f"<body onload={MARK}>",
    f"<iframe srcdoc='<script>parent.{MARK}</script>'></iframe>",
    f'<iframe src="javascript:parent.{MARK}"></iframe>',
    f'<a href="javascript:{MARK}" id=injected>click</a>',
    f"<details open ontoggle={MARK}>",
    f"<input autofocus onfocus={MARK}>",
    f"<video><source onerror={MARK}></video>",
    f'<math><mi xlink:href="javascript:{MARK}">x</mi></math>',
    f'<object data="data:text/html,<script>{MARK}</script>"></object>',
    f'<embed src="javascript:{MARK}">',
    f"<base href='http://127.0.0.1:9/'><link rel=stylesheet href=x onload={MARK}>",
    f'<meta http-equiv=refresh content="0;url=javascript:{MARK}">',
    f'<form action="javascript:{MARK}"><button autofocus>x</button></form>',
    f'" onmouseover={MARK} x="',
    f"' onmouseover='{MARK}' x='",
    f"`${{{MARK}}}` {{{{constructor.constructor('{MARK}')()}}}} \\u003cscript\\u003e{MARK}\\u003c/script\\u003e",
    f"\u2028{MARK}\u2029\x00<\x00script>{MARK}</script>",
]
ROWS = 240
CLASSES = ["good", PAYLOADS[1], f"{PAYLOADS[8]}.[0]", "datum['of']"]


class Watched:
    """A page, and everything that should not happen on it."""

    def __init__(self, browser: Browser, file: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.page.on("console", lambda message: self.troubles.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.troubles.append(dialog.message), dialog.dismiss()))
        self.context.on("page", lambda page: self.troubles.append("another page was opened"))
        self.context.route("**/*", self._asked)
        self._place = file.as_uri()
        self.page.goto(self._place)
        self.page.wait_for_function("document.documentElement.dataset.ready === 'yes'", timeout=60_000)

    def _asked(self, route: Route) -> None:
        if route.request.url == self._place:
            route.continue_()
        else:
            self.troubles.append(f"asked for {route.request.url}")
            route.abort()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=root)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a store whose texts, ids, class names and runs want to be more than text."""
    folder = tmp_path_factory.mktemp("page")
    build(
        folder / "a.store",
        labels=("bert", "roberta"),
        rows=ROWS,
        shards=4,
        classes=CLASSES,
        corpus={
            "text": lambda row: f"{PAYLOADS[row % len(PAYLOADS)]} number-{row}",
            "id_": lambda row: f"{row} {PAYLOADS[row % len(PAYLOADS)]}",
        },
    )
    runs = tuple(write_run(folder / name) for name in ("plain", "<img src=x onerror=window.__injected=1>"))
    report_of(folder / "a.store", labels="bert", runs=runs)
    return folder / "a.html"


@pytest.fixture(scope="module")
def loaded(browser: Browser, file: Path) -> Iterator[Watched]:
    loaded = Watched(browser, file, viewport={"width": 1200, "height": 800}, color_scheme="light")
    yield loaded
    loaded.context.close()


@pytest.fixture
def watched(loaded: Watched) -> Iterator[Watched]:
    """The page as it was when it was loaded."""
    yield loaded
    assert loaded.troubles == []
    loaded.page.evaluate("""() => {
        choose(null);
        byId("search").value = "";
        document.querySelector("input[name=kind]").checked = true;
        showOther();
        for (const figure of page.figures) zoomed(views.get(figure.name), figure, null);
        for (const details of document.querySelectorAll("details")) details.open = false;
        delete document.documentElement.dataset.theme;
        scrollTo(0, 0);
    }""")


def marks(page: Page, figure: str) -> list[str]:
    """The outlines of a plot's marks, sorted."""
    paths: list[str] = page.eval_on_selector_all(
        f"#figure-{figure} svg .mark-rect.role-mark path, #figure-{figure} svg .mark-symbol.role-mark path",
        "paths => paths.map(path => path.getAttribute('d') + path.getAttribute('transform') + path.getAttribute('opacity'))",
    )
    return sorted(paths)


def rows_shown(page: Page) -> list[str]:
    return page.locator("#rows tbody tr").all_inner_texts()


def choose(page: Page, name: str) -> None:
    page.select_option("#class", label=name)
    page.wait_for_timeout(100)


def test_every_plot_is_there_with_marks_and_its_numbers(watched: Watched) -> None:
    page = watched.page
    figures = page.eval_on_selector_all("figure", "all => all.map(one => one.id.slice('figure-'.length))")
    assert {"confusion", "reliability", "classes", "class-drift", "agreement", "training-loss"} <= set(figures)
    for figure in figures:
        assert marks(page, figure), figure
        page.locator(f"#figure-{figure} summary").click()
        page.wait_for_selector(f"#figure-{figure} details td")
        assert page.locator(f"#figure-{figure} h3").inner_text().endswith("?")


def test_a_class_narrows_plots_numbers_and_rows(watched: Watched) -> None:
    page = watched.page
    figures = ("confidence", "reliability", "risk-coverage", "length", "class-drift", "classes", "confusion")
    before, rows = {figure: marks(page, figure) for figure in figures}, rows_shown(page)
    page.locator("#figure-confidence summary").click()
    total = page.locator("#figure-confidence td").all_inner_texts()
    choose(page, "good")
    for figure in figures:
        assert marks(page, figure) != before[figure], figure
    assert page.locator("#figure-confidence td").all_inner_texts() != total
    assert rows_shown(page) != rows
    for row in page.locator("#rows tbody tr").all():
        assert "good" in row.locator("td.gold_class, td.class").all_inner_texts()
    choose(page, "all")
    assert {figure: marks(page, figure) for figure in figures} == before
    assert rows_shown(page) == rows


def test_a_click_on_a_bar_chooses_its_class_and_another_one_all(watched: Watched) -> None:
    page = watched.page
    bar = page.locator("#figure-classes .mark-rect.role-mark path").first
    bar.scroll_into_view_if_needed()
    bar.click(position={"x": 10, "y": 10})
    assert page.locator("#class").input_value() in ("0", "1", "2", "3")
    bar.click(position={"x": 10, "y": 10})
    assert page.locator("#class").input_value() == ""


def test_a_plot_says_its_figures_where_the_pointer_is(watched: Watched) -> None:
    page = watched.page
    bar = page.locator("#figure-classes .mark-rect.role-mark path").first
    bar.scroll_into_view_if_needed()
    bar.hover(position={"x": 10, "y": 10})
    page.wait_for_selector("#tip:not([hidden])")
    assert page.locator("#tip dt").all_inner_texts() == ["class", "rows", "share", "mean probability"]
    page.mouse.move(5, 5)
    page.wait_for_selector("#tip", state="hidden")


def test_a_plot_is_zoomed_by_keys_and_by_the_wheel(watched: Watched) -> None:
    page = watched.page
    whole = marks(page, "margin")
    page.locator("#figure-margin .tools button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert marks(page, "margin") != whole
    page.locator("#figure-margin .tools button").last.click()
    page.wait_for_timeout(100)
    assert marks(page, "margin") == whole
    plot = page.locator("#figure-margin svg")
    plot.scroll_into_view_if_needed()
    plot.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_timeout(200)
    assert marks(page, "margin") != whole


def test_rows_are_searched_chosen_by_kind_and_shown_in_full(watched: Watched) -> None:
    page = watched.page
    assert len(rows_shown(page)) == 25
    page.locator("#more").click()
    assert len(rows_shown(page)) == 100
    wanted = rows_shown(page)[40].rsplit("number-", 1)[1]
    page.fill("#search", f"NUMBER-{wanted.strip()}")
    assert any(row.strip().endswith(f"number-{wanted.strip()}") for row in rows_shown(page))
    assert len(rows_shown(page)) < 10
    assert page.locator("#count").inner_text() == f"{len(rows_shown(page))} of 100 rows"
    page.fill("#search", "there is no such text")
    assert rows_shown(page) == []
    page.fill("#search", "")
    page.locator("input[name=kind]:checked").focus()
    says = page.locator("#kind-says").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator("#kind-says").inner_text() != says
    assert len(rows_shown(page)) == 25


def test_light_and_dark_can_be_switched(watched: Watched, browser: Browser, file: Path) -> None:
    page = watched.page
    ground = "getComputedStyle(document.body).backgroundColor"
    bar = "getComputedStyle(document.querySelector('#figure-classes .mark-rect.role-mark path')).fill"
    light = page.evaluate(ground), page.evaluate(bar)
    page.locator("#theme").click()
    dark = page.evaluate(ground), page.evaluate(bar)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    assert page.locator("#theme").get_attribute("aria-pressed") == "true"
    page.locator("#theme").click()
    assert (page.evaluate(ground), page.evaluate(bar)) == light
    by_system = Watched(browser, file, color_scheme="dark")
    assert by_system.page.evaluate(ground) == dark[0]
    by_system.page.locator("#theme").click()
    assert by_system.page.evaluate(ground) == light[0]
    assert by_system.troubles == []
    by_system.context.close()


def test_a_phone_needs_no_scrolling_to_the_side(browser: Browser, file: Path) -> None:
    phone = Watched(browser, file, viewport={"width": 400, "height": 800}, has_touch=True)
    page = phone.page
    for kind in page.locator(".kinds label").all():
        kind.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
    for summary in page.locator("figure summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    widths = page.eval_on_selector_all(".plot svg", "all => all.map(one => one.getBoundingClientRect().right)")
    assert max(widths) <= 400
    assert phone.troubles == []
    phone.context.close()


def test_texts_that_want_to_be_scripts_stay_texts(watched: Watched) -> None:
    page = watched.page
    page.locator("#more").click()
    for kind in page.locator(".kinds label").all():
        kind.click()
        if page.locator("#more").is_visible():
            page.locator("#more").click()
    page.locator(".kinds label").first.click()
    page.locator("#more").click()
    for name in (*page.locator("#class option").all_inner_texts(),):
        choose(page, name)
    choose(page, "all")
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("window.__injected") is None
    assert page.evaluate("document.scripts.length") == 3
    for tag in (
        "img",
        "iframe",
        "object",
        "embed",
        "video",
        "form:not(.vega-bindings)",
        "base",
        "link",
        "textarea",
        "#injected",
        "math",
    ):
        assert page.locator(tag).count() == 0, tag
    handlers = "[...document.querySelectorAll('*')].filter(one => [...one.attributes].some(a => a.name.startsWith('on'))).length"
    assert page.evaluate(handlers) == 0
    texts = page.locator("#rows .text bdi").all_inner_texts()
    assert len({text.rsplit(" number-")[0] for text in texts}) > 20
    assert any(text.startswith(PAYLOADS[0]) for text in texts)
    assert page.locator("#class option").all_inner_texts()[1] == "good"
    assert any("<img src=x" in option for option in page.locator("#class option").all_inner_texts())


def test_a_plot_that_cannot_be_drawn_leaves_its_numbers_and_the_others(
    browser: Browser, file: Path, tmp_path: Path
) -> None:
    before, data, after = re.split(r'(?<=id="data">)(.*?)(?=</script>)', file.read_text("utf-8"), maxsplit=1)
    page = json.loads(data)
    broken = next(figure for figure in page["figures"] if figure["name"] == "classes")
    broken["spec"] = {"mark": "no such mark"}
    (tmp_path / "a.html").write_text(before + json.dumps(page).replace("<", "\\u003c") + after, "utf-8")
    watched = Watched(browser, tmp_path / "a.html")
    plot = watched.page.locator("#figure-classes .plot")
    assert "could not be drawn here" in plot.inner_text()
    watched.page.wait_for_selector("#figure-classes details[open] td")
    assert not [
        figure["name"] for figure in page["figures"] if figure != broken and not marks(watched.page, figure["name"])
    ]
    choose(watched.page, "good")
    watched.context.close()


def test_the_policy_stops_what_would_be_added(browser: Browser, file: Path) -> None:
    """Were a text ever to become an element or a program, it would not run, and nothing would be fetched."""
    watched = Watched(browser, file)
    watched.page.evaluate(
        f"document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='{MARK}'>`);"
        f"const added = document.createElement('script'); added.textContent = '{MARK}'; document.body.append(added);"
        f"setTimeout('{MARK}', 0);"
    )
    watched.page.wait_for_timeout(200)
    assert watched.page.evaluate("window.__injected") is None
    assert all("Content Security Policy" in trouble for trouble in watched.troubles)
    assert len(watched.troubles) == 4
    watched.context.close()
