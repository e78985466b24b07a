"""Two catalogues with the same keys, and no English in a French report but what the journal itself says."""

from __future__ import annotations

import dataclasses
import html
import re
from string import Formatter

import pytest
from report_journals import STORIES

from drctl.app.report import prepare
from drctl.report.document import Column, Phrase, Section, Sheet, Table, Tile
from drctl.report.speech import CATALOGUES

WORD = re.compile(r"[a-zà-ÿœ]{3,}")


def test_catalogues_have_the_same_keys():
    assert set(CATALOGUES["en"]) == set(CATALOGUES["fr"])


@pytest.mark.parametrize("key", sorted(CATALOGUES["en"]))
def test_both_languages_put_the_same_values_in(key):
    fields = [
        {name for _, name, _, _ in Formatter().parse(words[key]) if name} for words in CATALOGUES.values()
    ]
    assert fields[0] == fields[1]


def test_french_typography():
    for key, text in CATALOGUES["fr"].items():
        assert not re.search(r"[^\s\N{NO-BREAK SPACE}][;?!]", text), key
        assert "'" not in text, key


@pytest.mark.parametrize("story", sorted(STORIES))
def test_every_word_of_a_report_is_in_the_catalogues(story):
    keys = set(keys_of(prepare(STORIES[story]().scan()).document))
    assert sorted(key for key in keys if not key.startswith("=") and key not in CATALOGUES["en"]) == []
    assert len(keys) > 100


def keys_of(value):
    if isinstance(value, Phrase | Column | Section | Tile):
        yield value.key
    if isinstance(value, Table | Sheet):
        yield value.caption
    if isinstance(value, Sheet):
        yield from (key for key, _ in value.rows)
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from keys_of(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from keys_of(inner)


@pytest.mark.parametrize("story", sorted(STORIES))
def test_no_english_leaks_into_french(story):
    told = STORIES[story]()
    page = prepare(told.scan()).render("html", "fr").decode()
    english = words_of(CATALOGUES["en"].values()) - words_of(CATALOGUES["fr"].values())
    leaked = english & set(WORD.findall(own_words(page, told)))
    assert leaked == set()


def words_of(texts):
    return {word for text in texts for word in WORD.findall(re.sub(r"\{\w+\}", " ", text).lower())}


def own_words(page, story):
    """The page's text without what it quotes: the journal's own strings, identifiers, drawn labels."""
    text = re.sub(
        r"<style>.*?</style>|<code>.*?</code>|<text.*?</text>|<title>.*?</title>", " ", page, flags=re.DOTALL
    )
    text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    for said in sorted(strings(story), key=len, reverse=True):
        text = text.replace(said, " ")
    return text.lower()


def strings(story):
    def walk(value):
        if isinstance(value, str):
            yield value
            yield value.rstrip(".")
            yield value.partition(":")[2].strip()
        elif isinstance(value, dict):
            for inner in value.values():
                yield from walk(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                yield from walk(inner)

    records = story.scan().records
    return {
        text
        for record in records
        for text in walk({"actor": record.actor, **record.event.model_dump(mode="json")})
        if " " in text or "@" in text or "-" in text
    }


def test_the_leak_detector_detects():
    told = STORIES["failover"]()
    page = prepare(told.scan()).render("html", "en").decode()
    english = words_of(CATALOGUES["en"].values()) - words_of(CATALOGUES["fr"].values())
    assert {"severity", "waiting", "confirmed"} <= english & set(WORD.findall(own_words(page, told)))
