"""The audit: sources, engine, report."""
