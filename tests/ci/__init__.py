"""Tests of what other people's CI uses of this repository."""
