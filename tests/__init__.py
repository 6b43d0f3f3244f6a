"""The tests of wa-fsm."""
