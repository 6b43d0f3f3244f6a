"""Tests of ``wa-sim store …``."""
