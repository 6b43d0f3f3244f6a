"""Every reporter, byte by byte. A change is shown by git: `python -m tests.reports.golden`."""

from __future__ import annotations

import pytest

from tests.reports.golden import BROWSED, CALLS, GOLDEN, PAGES, bare, browsed, page, printed


@pytest.mark.parametrize("name", CALLS)
def test_a_report_is_as_it_stands_in_its_file(name):
    """Each format prints exactly the bytes that were looked at."""
    folder, form = CALLS[name]
    assert printed(folder, form).decode() == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_summary_is_as_it_stands_in_its_file(name):
    """So does the page for GitHub."""
    assert page(PAGES[name]).decode() == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("name", BROWSED)
def test_a_page_is_as_it_stands_in_its_file(name):
    """So does the report for the browser, but for styles, scripts and drawings."""
    assert bare(browsed(BROWSED[name])) == (GOLDEN / name).read_text("utf-8")


def test_several_processes_give_the_same_bytes(tmp_path):
    """With any number of jobs, in every format."""
    for number in range(40):  # more than one task
        text = f"scenario: {number}\npolicy: cloud-api\nsteps: [{{at: 0s, business: text}}]\n"
        (tmp_path / f"{number}.yaml").write_text(text)
    for form in ("text", "json", "junit", "github"):
        one, three = (printed(str(tmp_path), form, "--jobs", jobs) for jobs in ("1", "3"))
        assert one
        assert one == three
    assert page(str(tmp_path), "--jobs", "3") == page(str(tmp_path))
    assert browsed(str(tmp_path), "--jobs", "3") == browsed(str(tmp_path))


def test_there_is_a_file_for_each_report():
    """Nothing is left over, and nothing is missing."""
    assert {path.name for path in GOLDEN.iterdir()} == {*CALLS, *PAGES, *BROWSED}
