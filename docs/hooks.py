"""What the site needs and the pages do not say, so that they are plain Markdown for raw readers.

* Pages for what lies outside of ``docs`` or is no page: the changelog and each example.
* Docstrings: ``<!-- docstring: NAME -->``, which raw readers do not see, becomes the docstring of
  that name; ``without: ONE, TWO`` behind it leaves out these members, ``alone`` all of them.
* Links: to an example's file leads to its page, to the README home. A link to another file outside
  of ``docs`` becomes its words, because the site does not have that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

DOCS = Path(__file__).resolve().parent
_FENCED = re.compile(r"(?ms)^(`{3,}|~{3,})[^\n]*\n.*?^\1[ ]*$")
_DOCSTRING = re.compile(r"<!-- docstring: ([\w.]+)(?: (alone)| without: ([\w, ]+))? -->")
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_MOVED = {"../README.md": "index.md", "../CHANGELOG.md": "changelog.md"}

EXAMPLE = """\
# {title}

{about}

```python
{code}```

It prints:

```text
{output}```
"""
EXAMPLES = """\
# Examples

Whole programs. Each runs as it is, and a test runs it and compares what it prints.

{listed}
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of ``docs`` holds."""
    changes = (DOCS.parent / "CHANGELOG.md").read_text("utf-8")
    made = {"changelog.md": changes, **dict(_examples())}
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    return files


def _examples() -> Iterator[tuple[str, str]]:
    listed = []
    for path in sorted((DOCS / "examples").glob("*.py")):
        code = path.read_text("utf-8")
        about = re.match(r'"""(.*?)"""', code, re.S)
        if about is None:
            raise ValueError(f"{path.name}: an example begins with its docstring")
        first = " ".join(about[1].split()).partition(". ")[0]
        listed.append(f"- [{path.stem}]({path.stem}.md): {first}")
        yield (
            f"examples/{path.stem}.md",
            EXAMPLE.format(
                title=f"Example: `{path.name}`",
                about=about[1].strip(),
                code=code[about.end() :].lstrip(),
                output=path.with_suffix(".out").read_text("utf-8"),
            ),
        )
    yield "examples/index.md", EXAMPLES.format(listed="\n".join(listed))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put docstrings in, and lead links to where the site has what they name."""
    if page.file.src_uri == "rules/textbook-and-cloud-api.md":  # it names everything, many times
        page.meta["search"] = {"boost": 0.1}
    parts, end = [], 0
    for fenced in _FENCED.finditer(markdown):
        parts += [_prose(markdown[end : fenced.start()], page), fenced[0]]
        end = fenced.end()
    return "".join([*parts, _prose(markdown[end:], page)])


def _prose(text: str, page: Page) -> str:
    text = _DOCSTRING.sub(lambda found: _docstring(*found.groups()), text)
    return _LINK.sub(lambda link: _led(link[1], link[2], page), text)


def _docstring(name: str, alone: str | None, without: str | None) -> str:
    lines = [f"::: {name}"]
    if alone:
        lines += ["    options: {members: false}"]
    if without:
        hidden = "|".join(word.strip() for word in without.split(","))
        lines += ["    options:", f'      filters: ["!^_", "!^({hidden})$"]']
    return "\n".join(lines)


def _led(words: str, link: str, page: Page) -> str:
    path, _, anchor = link.partition("#")
    if not path or re.match(r"[a-z]+:", link):
        return f"[{words}]({link})"
    folder = PurePosixPath(page.file.src_uri).parent
    target = normpath((folder / path).as_posix())
    if target == "examples":
        target = "examples/index.md"
    elif target.startswith("examples/") and target.endswith(".py"):
        target = f"{target.removesuffix('.py')}.md"
    elif target.startswith("examples/") and target.endswith(".out"):
        target = f"{target.removesuffix('.out')}.md"
    target = _MOVED.get(target, target)
    if target.startswith("../"):
        return words
    return f"[{words}]({relpath(target, folder.as_posix())}{f'#{anchor}' if anchor else ''})"
