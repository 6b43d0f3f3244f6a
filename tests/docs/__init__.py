"""Tests of the pages: what they show is what the program does."""
