"""The reference of the Python interface has every public name, and each says what it takes."""

from __future__ import annotations

import re
from functools import cache

import griffe
import pytest

import wa_fsm
from tests.docs.pages import DOCS, ROOT
from tests.docs.site import Read, site

PAGES = ("api", "api-adapters")
NAMED = {
    name
    for page in PAGES
    for name in re.findall(r"<!-- docstring: ([\w.]+)", (DOCS / f"{page}.md").read_text("utf-8"))
}

GIVEN = {  # one is given these and never makes them
    "wa_fsm.Delivery",
    "wa_fsm.SendRefused",
    "wa_fsm.adapters.sender.SendError",
    "wa_fsm.expiring.Lease",
    "wa_fsm.sending.Sending",
}


@cache
def package() -> griffe.Module:
    """The package as the site reads it: without importing it."""
    loaded = griffe.load("wa_fsm", search_paths=[str(ROOT)], docstring_parser="google")
    assert isinstance(loaded, griffe.Module)
    return loaded


def found(name: str) -> griffe.Object:
    each = package()[name.removeprefix("wa_fsm.")]
    final = each.final_target if isinstance(each, griffe.Alias) else each
    assert isinstance(final, griffe.Object)
    return final


def explained(each: griffe.Object) -> set[str]:
    """The arguments and attributes that a docstring explains."""
    assert each.docstring is not None
    kinds = {griffe.DocstringSectionKind.parameters, griffe.DocstringSectionKind.attributes}
    sections = [section for section in each.docstring.parsed if section.kind in kinds]
    return {item.name.lstrip("*") for section in sections for item in section.value}


def test_every_public_name_is_in_the_reference() -> None:
    """What `from wa_fsm import` gives stands on the page."""
    there = {name.removeprefix("wa_fsm.").rpartition(".")[2] for name in NAMED}
    assert not set(wa_fsm.__all__) - there


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_name_of_the_reference_is_on_its_page(name: str) -> None:
    """Its docstring is shown, and can be linked to."""
    assert name in anchors()


@cache
def anchors() -> set[str]:
    whole = [Read((site().folder / f"{page}.html").read_text("utf-8")) for page in PAGES]
    return {each for page in whole for each in page.ids}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_public_name_says_what_it_is_and_takes(name: str) -> None:
    """Whoever reads its docstring knows each argument of a function, class or constructor."""
    each = found(name)
    assert each.docstring is not None
    if name in GIVEN or not isinstance(each, griffe.Function | griffe.Class):
        return
    taken = {parameter.name for parameter in each.parameters}
    assert not taken - explained(each) - {"self"}
