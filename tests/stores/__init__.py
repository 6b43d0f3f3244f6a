"""The contract of stores, on each of them."""
