"""The reports of `promises/` and `bad/`; ``python -m tests.reports.golden`` writes them anew."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
WA_SIM = str(Path(sysconfig.get_path("scripts")) / "wa-sim")

CALLS = {
    "text.txt": ("promises", "text"),
    "json.json": ("promises", "json"),
    "junit.xml": ("promises", "junit"),
    "github.txt": ("promises", "github"),
    "github-bad.txt": ("bad", "github"),
}
PAGES = {"summary.md": "promises", "summary-bad.md": "bad"}
BROWSED = {"html.html": "promises"}


def environment(**more: str) -> dict[str, str]:
    """This process's, without what GitHub would set."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    return {**own, "GITHUB_WORKSPACE": str(HERE.parents[1]), **more}


def printed(folder: str, form: str, *more: str) -> bytes:
    """What `wa-sim run FOLDER --format FORM` prints in this folder."""
    call = [WA_SIM, "run", folder, "--format", form, *more]
    came = subprocess.run(call, cwd=HERE, env=environment(), capture_output=True, check=False)
    return came.stdout


def page(folder: str, *more: str) -> bytes:
    """What the same writes into the summary of a GitHub step."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "summary.md")
        env = environment(GITHUB_STEP_SUMMARY=str(file))
        call = [WA_SIM, "run", folder, "--format", "github", *more]
        subprocess.run(call, cwd=HERE, env=env, capture_output=True, check=False)
        return file.read_bytes()


def browsed(folder: str, *more: str) -> bytes:
    """The file of ``--html``."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "report.html")
        call = [WA_SIM, "run", folder, "--html", str(file), *more]
        subprocess.run(call, cwd=HERE, env=environment(), capture_output=True, check=False)
        return file.read_bytes()


def bare(html: bytes) -> str:
    """A page without its styles, scripts and drawings, which have tests of their own."""
    text = re.sub(r"(?s)(<style>|<script>|<svg [^>]*diagram[^>]*>).*?(</)", r"\1\2", html.decode())
    return re.sub(r"sha256-[\w+/=]+", "sha256", text)


if __name__ == "__main__":
    for name, (folder, form) in CALLS.items():
        (GOLDEN / name).write_bytes(printed(folder, form))
    for name, folder in PAGES.items():
        (GOLDEN / name).write_bytes(page(folder))
    for name, folder in BROWSED.items():
        (GOLDEN / name).write_text(bare(browsed(folder)), "utf-8")
