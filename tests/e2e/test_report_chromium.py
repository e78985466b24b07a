"""Reports in a real browser: nothing is fetched, nothing complains, nothing sticks out; at every size, in both themes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium
from installed import ROOT
from report_journals import STORIES, Story

SIZES = {"phone": (360, 740, True), "laptop": (1280, 800, False), "A4": (794, 1123, False)}

ENDS = """
[...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  if (box.right <= innerWidth + 1 || !box.width) return false;
  for (let up = e; up; up = up.parentElement) if (getComputedStyle(up).overflowX === 'auto') return false;
  return getComputedStyle(e).position !== 'absolute';
}).slice(0, 5).map(e => e.outerHTML.slice(0, 120))
"""
"""What sticks out to the right, unless it is inside something that scrolls by itself."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("home")
    for tell in STORIES.values():
        story = tell()
        folder = place / "runs" / story.run
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(story.text)
    return place


def report(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "drctl", "report", *map(str, arguments), "--home", str(home)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, env=dict(os.environ))


@pytest.fixture(scope="module")
def pages(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every story's report, in its likely language, as the command writes it."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, tell in STORIES.items():
        found[name] = folder / f"{name}.html"
        done = report(
            home, tell().run, "-f", "html", "--lang", "fr" if name == "drill" else "en", "-o", found[name]
        )
        assert done.returncode == 0, done.stderr
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("story", sorted(STORIES))
def test_a_report_fits_every_screen_and_asks_for_nothing(browser, pages, story, size, scheme):
    width, height, mobile = SIZES[size]
    browser.size(width, height, mobile=mobile)
    browser.media(kind="print" if size == "A4" else "screen", scheme=scheme)
    seen = browser.open(pages[story])
    assert seen.requests == [pages[story].resolve().as_uri()]
    assert seen.complaints == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(ENDS) == []
    assert browser.height() > height


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_as_painted_has_contrast(browser, pages, scheme):
    """The colours that the browser computed, for every text there is, against the ground it stands on."""
    browser.size(1280, 800)
    browser.media(scheme=scheme)
    browser.open(pages["failover"])
    poor = browser.evaluate(
        """
        (() => {
          const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
          const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
          const ground = e => { for (; e; e = e.parentElement) {
            const colour = rgb(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour; } return [255, 255, 255]; };
          return [...document.querySelectorAll('body *')].filter(e => !e.closest('svg')
            && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).filter(e => {
            const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5; }).map(e => e.outerHTML.slice(0, 100));
        })()
        """
    )
    assert poor == []


def test_the_pictures_of_the_docs_are_those_that_the_tool_takes():
    spec = importlib.util.spec_from_file_location("screenshots", ROOT / "tools" / "screenshots.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = tool  # its dataclasses look themselves up
    spec.loader.exec_module(tool)
    assert {path.stem for path in tool.FOLDER.iterdir()} == {shot.name for shot in tool.SHOTS}
    assert {shot.story for shot in tool.SHOTS} <= set(STORIES)


def test_the_command_says_what_is_wrong(home, tmp_path):
    assert report(home, "nothing").returncode == 2
    done = report(home, "20260131", "-o", tmp_path / "missing" / "report.md")
    assert done.returncode == 2
    assert b"cannot write" in done.stderr
    folder = home / "runs" / "20260131-021400-failover-4c1d"
    broken = tmp_path / "runs" / folder.name
    broken.mkdir(parents=True)
    text = (folder / "journal.jsonl").read_bytes().replace(b"Crisis cell", b"crisis cell")
    (broken / "journal.jsonl").write_bytes(text)
    done = report(tmp_path, "last")
    assert done.returncode == 1
    assert b"does not continue the chain" in done.stderr


def test_the_kind_follows_the_mode_and_may_be_chosen(home):
    assert report(home, "20251114").stdout.startswith(b"# Drill report")
    assert report(home, "20251114", "--kind", "incident").stdout.startswith(b"# Post-incident report")
    assert report(home, "20260131", "--lang", "fr").stdout.startswith("# Compte rendu d’incident".encode())


def test_other_runs_of_the_runbook_add_what_they_know(home):
    """The failover of January finds the action that the drill of November left open, and so does the next drill."""
    text = report(home, "20260131").stdout.decode()
    assert "Mettre l'inventaire à jour (carried over from an earlier run)" in text
    again = Story("20260601-130000-drill-0002", "drill")
    again.begin()
    again.plan()
    folder = home / "runs" / again.run
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(again.text)
    text = report(home, again.run, "--lang", "fr").stdout.decode()
    assert "Mettre l'inventaire à jour (reprise d’une exécution antérieure)" in text
    assert "| Exercice précédent | `20251114-130000-drill-77aa`" in text
