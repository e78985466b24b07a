"""The language of runbooks: text in, values out."""
