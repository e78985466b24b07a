"""The composition root: the only package that knows every layer; the command line calls it."""
