"""Audit: months of message history against a policy."""
