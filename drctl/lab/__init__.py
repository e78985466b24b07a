"""The lab: a simulated estate behind real protocols; it imports nothing else from drctl."""
