"""The engine: runbook and inventory in, steps, order, plan, run and journal out."""
