"""Tests of the pytest plugin, by running pytest."""
