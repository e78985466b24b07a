"""Documents folded from a journal: pure functions from records to text; they ask the engine nothing."""
