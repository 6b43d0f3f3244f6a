"""``--html FILE`` as a file: what stands in it, and what the command says of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest

from tests.reports.conftest import FAILS, PASSES

HOSTILE = "</script><script async>alert(1)</script><!-- <img src=x onerror=alert(2)>"

OURS = """\
policy: ours
extends: cloud-api
refusals:
  - id: Q1
    reason: quiet_hours
    when: {between: ["22:00", "07:00"], timezone: Europe/Berlin}
    kinds: [free_form]
    text: our customers asked for quiet nights
"""


def data(html):
    """The cases and the index, as the page's script reads them."""
    index = re.search(r'(?s)id="index">(.*?)</script>', html)
    cases = re.findall(r'class="picture">(.*?)</script>', html)
    return json.loads(index[1]), [json.loads(case) for case in cases]


def test_the_text_is_printed_and_the_page_is_written_beside_it(run, write, tmp_path):
    """Without a format the usual text goes to stdout; stderr says what was written."""
    write(one="")
    plain = run("one.yaml")
    code, out, err = run("one.yaml", "--html", "report.html")
    assert (code, out, err) == (0, plain[1], "report.html: written\n")
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")


def test_it_goes_together_with_every_format(run, write, tmp_path):
    """One run, three reports."""
    write(one="", two=FAILS.format(name="two"))
    code, out, _ = run(
        "one.yaml", "two.yaml", "--format", "json", "--format", "junit=x.xml", "--html", "r.html"
    )
    assert (code, json.loads(out)["failed"]) == (1, 1)
    assert {path.name for path in tmp_path.iterdir()} == {"one.yaml", "two.yaml", "x.xml", "r.html"}


@pytest.mark.parametrize("file", ["", "-"])
def test_it_needs_the_name_of_a_file(run, write, file):
    """A page on a terminal helps nobody."""
    write(one="")
    code, out, err = run("one.yaml", "--html", file)
    assert (code, out) == (2, "")
    assert "--html writes a file; give its name, such as `report.html`" in err


def test_it_never_replaces_a_scenario(run, write, tmp_path):
    """Nor is anything run, when the report could not be written."""
    write(one="")
    code, _, err = run("one.yaml", "--html", "one.yaml")
    assert code == 2
    assert "would replace a file that is read" in err
    assert (tmp_path / "one.yaml").read_text("utf-8") == PASSES.format(name="one")


def test_it_never_replaces_a_policy_file(run, write, tmp_path):
    """Which only the scenario names."""
    write(one=PASSES.format(name="one").replace("policy: cloud-api", "policy: ours.policy.yaml"))
    assert "ours.policy.yaml" in (tmp_path / "one.yaml").read_text("utf-8")
    (tmp_path / "ours.policy.yaml").write_text(OURS, "utf-8")
    for option in ("--html", "--format"):
        file = "./ours.policy.yaml" if option == "--html" else "junit=ours.policy.yaml"
        code, out, err = run("one.yaml", option, file)
        assert (code, out) == (2, "")
        assert "ours.policy.yaml` would replace a file that is read" in err
    assert (tmp_path / "ours.policy.yaml").read_text("utf-8") == OURS


def test_no_text_of_a_file_becomes_markup(run, write, tmp_path):
    """In the data of the page there is no `<`, and the text comes out of it as it went in."""
    write(bad=PASSES.format(name=json.dumps(HOSTILE)))
    run("bad.yaml", "--html", "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    index, cases = data(html)
    assert [index[0]["name"], cases[0]["name"]] == [HOSTILE, HOSTILE]
    assert "alert(" not in re.sub(r'(?s)<script type="application/json".*?</script>', "", html)
    assert html.count("</script>") == html.count("<script")
    assert all("<" not in text for text in re.findall(r'(?s)json"[^>]*>(.*?)</script>', html))


def test_the_policy_of_the_page_names_its_own_script_and_style(run, write, tmp_path):
    """By their hashes: nothing else may run or be fetched, and no word allows it."""
    write(one="")
    run("one.yaml", "--html", "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    (style,) = re.findall(r"(?s)<style>(.*?)</style>", html)
    (script,) = re.findall(r"(?s)<script>(.*?)</script>", html)
    hashes = [
        "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    assert re.search(r'Content-Security-Policy" content="(.*?)"', html)[1] == (
        f"default-src 'none'; style-src '{hashes[0]}'; script-src '{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", style + script)


def test_coverage_is_in_the_page_and_not_in_the_text(run, write, tmp_path):
    """The page has it without being asked; a run that stops early cannot count it."""
    write(one="")
    _, out, _ = run("one.yaml", "--html", "report.html")
    assert "coverage" not in out
    assert 'id="coverage"' in (tmp_path / "report.html").read_text("utf-8")
    run("one.yaml", "--html", "report.html", "--fail-fast")
    assert 'id="coverage"' not in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("more", [(), ("--only-failures",)])
def test_coverage_of_two_policies_of_one_name_says_what_their_rules_are(run, write, tmp_path, more):
    """Each by its own base, also where none of its scenarios is listed."""
    for base in ("textbook", "cloud-api"):
        (tmp_path / f"{base}.policy.yaml").write_text(f"policy: ours\nextends: {base}\n")
        write(**{base: PASSES.replace("cloud-api", f"./{base}.policy.yaml").format(name=base)})
    run("textbook.yaml", "cloud-api.yaml", "--html", "report.html", *more)
    html = (tmp_path / "report.html").read_text("utf-8")
    coverage = html.partition('id="coverage"')[2].partition("</section>")[0]
    assert "ours (./textbook.policy.yaml)" in coverage
    assert "<b>T1</b> customer_message (an opener kind), in closed" in coverage
    assert "<b>M1</b> customer_message (an opener kind), in any state" in coverage


def test_only_failures_leaves_the_rest_out(run, write, tmp_path):
    """The counts stay those of the whole run, even where nothing is left to list."""
    write(one="", two=FAILS.format(name="two"))
    run("one.yaml", "two.yaml", "--html", "report.html", "--only-failures")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert [entry["name"] for entry in data(html)[0]] == ["two"]
    assert "1 of 2 scenarios failed" in html
    run("one.yaml", "--html", "report.html", "--only-failures")
    html = (tmp_path / "report.html").read_text("utf-8")
    assert data(html) == ([], [])
    assert "1 that passed are counted, and left out" in html


def test_a_policy_of_ones_own_has_its_refusals_in_the_page(run, write, tmp_path):
    """Named as it names itself, with the base that it extends, and its refusals as rules."""
    (tmp_path / "ours.policy.yml").write_text(OURS, "utf-8")
    text = PASSES.format(name="one").replace("cloud-api", "./ours.policy.yml")
    (tmp_path / "one.yaml").write_text(text, "utf-8")
    code, out, err = run("one.yaml", "--html", "report.html")
    assert code == 0, out + err
    html = (tmp_path / "report.html").read_text("utf-8")
    assert data(html)[0][0]["policy"] == "ours"
    assert '<option value="Q1">' in html
    assert "our customers asked for quiet nights" in html
