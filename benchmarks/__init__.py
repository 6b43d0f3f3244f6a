"""What wa-fsm costs, against what. Run ``python -m benchmarks``; README.md says how to read it."""
