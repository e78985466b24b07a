"""drctl executes disaster-recovery runbooks step by step, with a journal that survives everything."""

__version__ = "0.1.0"
