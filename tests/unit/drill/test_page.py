"""The page as a browser shows it: on a phone, a screen and paper, light and dark."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import page

from tests.unit.drill.results import SAID, history, run
from tests.unit.servers import Answer, Request, serve

BROWSER = next((path for name in ("chromium", "chromium-headless-shell", "google-chrome") if (path := shutil.which(name))), "")
PAGE = page.page(run(), history())
#: Contrast of text that people can read (WCAG 2, AA).
READABLE = 4.5
#: What the browser is asked about the page: in a frame, so that its width is the one that is wanted.
LOOK = (Path(__file__).parent / "look.html").read_text(encoding="utf-8")
browsed = pytest.mark.skipif(not BROWSER, reason="there is no Chromium here")


class Outline(HTMLParser):
    """Elements that a page opens and closes, and whatever it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "action") and not str(value).startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_is_well_formed() -> None:
    outline = Outline(PAGE)
    assert outline.open == [] and outline.fetched == []
    assert "<script" not in PAGE and "@import" not in PAGE and "url(" not in PAGE


def test_what_components_said_is_text() -> None:
    assert SAID not in PAGE and SAID in unescape(PAGE)
    assert "connection refused &lt;by&gt; somebody" in PAGE and "failover &amp; more" in PAGE


def test_verdicts_figures_moves_and_versions_are_there() -> None:
    text = unescape(re.sub("<[^>]*>", " ", PAGE))
    for words in (
        "2 passed, 1 failed, 1 not run, 1 error",
        "query: outage 9 s, promised 5 s",
        "the virtual address is answered by mon2",
        "a container has the clock of its machine",
        "+0.0 s: injected mon1",
        "3.16.0",
        "query 4%, 5.5 a second",
    ):
        assert words in text, words
    # Who held the address from the beginning has not moved.
    assert "the virtual address is answered by mon1" not in text


def browse(tmp_path: Path, *words: str) -> str:
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={tmp_path}/profile"]
    done = subprocess.run([*command, "--virtual-time-budget=5000", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def seen(tmp_path: Path, width: int, dark: bool) -> dict[str, Any]:
    """What a browser says of the page."""

    def answer(request: Request) -> Answer:
        text = PAGE if request.path == "/report.html" else LOOK.replace("WIDTH", str(width))
        return Answer(text.encode(), 200, {"Content-Type": "text/html; charset=utf-8"})

    with serve(answer) as server:
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        text = browse(tmp_path, scheme, "--window-size=1400,1000", "--dump-dom", f"{server.url}/look.html")
    found = re.search(r'<pre id="said">(.*?)</pre>', text, re.DOTALL)
    assert found, text[-2000:]
    said: dict[str, Any] = json.loads(unescape(found[1]))
    return said


@browsed
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200], ids=["phone", "screen"])
def test_a_browser_shows_it(tmp_path: Path, width: int, dark: bool) -> None:
    its = seen(tmp_path, width, dark)
    assert its["width"] == width and its["scroll"] <= width, "wider than the window"
    assert its["contrast"] >= READABLE and its["font"] >= 16
    assert (its["background"] == "rgb(15, 18, 22)") is dark, "the colours are those of the other scheme"
    assert its["columns"] == (1 if width < 640 else 2)
    assert its["closed"] and all(its["links"]) and len(its["links"]) == 5
    # Three drills have an outage each, and it is where it happened.
    assert len(its["outages"]) == 3
    left, right, row, _height = its["tracks"][2]
    for (begin, end, breadth, height), seconds in zip(its["outages"], (1.5, 2.5, 9), strict=True):
        assert height > 5 and left < begin < end < right
        assert breadth / row == pytest.approx(seconds / 60, abs=0.01) and (begin - left) / row == pytest.approx(10 / 60, abs=0.01)


@browsed
def test_it_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(PAGE, encoding="utf-8")
    browse(tmp_path, f"--print-to-pdf={tmp_path}/report.pdf", "--no-pdf-header-footer", f"file://{tmp_path}/report.html")
    paper = (tmp_path / "report.pdf").read_bytes()
    assert paper.startswith(b"%PDF") and 1 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 6
