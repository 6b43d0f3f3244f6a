"""Searching through what can happen: mutants today."""
