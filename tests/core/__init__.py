"""Tests of the core: the rules, the machine, histories and decisions."""
