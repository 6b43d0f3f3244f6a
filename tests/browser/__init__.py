"""Pages in a real Chromium, headless."""
