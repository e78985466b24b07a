"""One package per kind of system; they know ``drctl.core`` and nothing of each other or of the engine."""
