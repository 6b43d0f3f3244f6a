"""All figures, one after the other."""

from __future__ import annotations

import platform
from datetime import UTC, datetime

from benchmarks import audit, diff, gatekeeper, html, rules, scenarios, search, sends, webhooks


def main() -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d")
    print(f"{now}, Python {platform.python_version()} on {platform.machine()}")
    print("what | ours | theirs | ratio (median of the rounds' ratios) and what it should be")
    rules.main()
    scenarios.main()
    search.main()
    diff.main()
    gatekeeper.main()
    sends.main()
    webhooks.run()
    html.main()
    audit.main()


if __name__ == "__main__":
    main()
