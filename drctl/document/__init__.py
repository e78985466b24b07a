"""YAML text in, plain data with the place of every key and value out."""
