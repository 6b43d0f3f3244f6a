"""Tests of the gatekeeper for asyncio, and of its counters."""
