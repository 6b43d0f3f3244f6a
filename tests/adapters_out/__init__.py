"""Sends on their way out: what a request would send, and the gates of real clients."""
