"""The engine: a pure state machine of SWF. Decide, then evolve."""
