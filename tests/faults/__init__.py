"""Crashes, full disks, broken files and lost connections."""
