"""The gatekeeper, over each store where that matters."""
