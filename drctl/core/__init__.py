"""The vocabulary every other package speaks; it imports the standard library and pydantic only."""
