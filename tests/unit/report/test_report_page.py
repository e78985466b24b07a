"""The HTML: whole in itself, safe against what a journal quotes, and readable in both themes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from report_journals import STORIES, failover, large

from drctl.app.report import prepare
from drctl.report.svg import FILLS

STYLE = (files("drctl.report") / "templates" / "style.css").read_text(encoding="utf-8")

TEXT = [
    ("ink", "paper"), ("quiet", "paper"), ("quiet", "raised"), ("ink", "raised"), ("link", "paper"),
    ("good", "paper"), ("good", "good-paper"), ("good", "raised"), ("warn", "paper"), ("warn", "warn-paper"),
    ("warn", "raised"), ("bad", "paper"), ("bad", "bad-paper"), ("bad", "raised"), ("open", "open-paper"),
]  # fmt: skip
"""Text on ground: WCAG AA asks 4.5."""

SHAPES = [(paint, "paper") for paint in ("work", "check", "person", "bad", "detection", "decision")]
"""Shapes that say something on ground: WCAG AA asks 3."""


def themes():
    light = re.search(r":root \{(.*?)\n\}", STYLE, re.DOTALL)[1]
    dark = re.search(r"prefers-color-scheme: dark\) \{\s*:root \{(.*?)\n  \}", STYLE, re.DOTALL)[1]
    pairs = r"--([\w-]+): (#[0-9a-f]{6})"
    return {"light": dict(re.findall(pairs, light)), "dark": dict(re.findall(pairs, dark))}


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_measured_as_wcag_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("on", "ground", "least"), [(*pair, 4.5) for pair in TEXT] + [(*pair, 3) for pair in SHAPES]
)
def test_contrast(theme, on, ground, least):
    colours = themes()[theme]
    assert contrast(colours[on], colours[ground]) >= least


def test_both_themes_name_the_same_colours():
    assert set(themes()["light"]) == set(themes()["dark"])


def test_pictures_carry_the_light_theme_for_writers_that_know_no_style():
    light = themes()["light"]
    for name, alias in {"execution": "work", "people": "person", "validation": "check"}.items():
        assert FILLS[name] == light[alias]
    for name in set(FILLS) - {"execution", "people", "validation"}:
        assert FILLS[name] == light[name], name


class Outline(HTMLParser):
    """The elements of a page, checked to be closed in order."""

    VOID = frozenset({"meta", "link", "path", "rect", "br"})

    def __init__(self):
        super().__init__()
        self.open = []
        self.tags = []
        self.headings = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID or (tag in {"path", "rect"} and not self.get_starttag_text().endswith("/>")):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def outline(page):
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


@pytest.mark.parametrize("story", sorted(STORIES))
@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_page_is_whole_and_well_built(story, language):
    found = outline(prepare(STORIES[story]().scan()).render("html", language).decode())
    assert ("html", "lang", language) in found.attributes
    assert not set(found.tags) & {"script", "iframe", "img", "form", "object", "embed", "base"}
    assert not [a for a in found.attributes if a[1].startswith("on")]
    links = [value for _, name, value in found.attributes if name in {"href", "src", "srcset", "action"}]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert found.tags.count("h1") == 1
    assert found.tags.count("caption") == found.tags.count("table")
    anchors = {value for _, name, value in found.attributes if name == "id"}
    assert all(link[1:] in anchors for link in links if link.startswith("#"))
    assert not re.search(r"url\(|@import", STYLE)


def test_what_a_journal_quotes_stays_text():
    story = failover()
    evil = '<script>alert(1)</script> & "quotes" {{ 7*7 }} {name} | `x` ***'
    story.note(evil, "cause")
    reported = prepare(story.scan())
    page = reported.render("html", "en").decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot; {{ 7*7 }} {name} | `x` ***" in page
    text = reported.render("md", "en").decode()
    assert "\\<script>alert(1)\\</script>" in text
    assert "49" not in text.partition("alert(1)")[2][:80]


def test_long_tables_carry_no_labels_and_scroll():
    page = prepare(large(2000).scan()).render("html", "en").decode()
    assert '<table class="long">' in page
    assert len(page) < 2_500_000
