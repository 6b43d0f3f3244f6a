"""The simulator of wa-fsm: what people and CI run. Installed as ``wa_sim``, see docs/adr."""

__version__ = "0.1.0"
