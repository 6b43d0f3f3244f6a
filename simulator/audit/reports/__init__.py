"""One file for each form of the report. All are made of the same data, see ``report.py``."""
