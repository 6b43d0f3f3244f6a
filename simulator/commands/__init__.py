"""One file for each subcommand; each has a ``command``."""
