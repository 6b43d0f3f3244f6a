"""Tests of the reports: each byte of them, and where they go."""
