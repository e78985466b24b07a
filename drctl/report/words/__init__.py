"""The words of documents, one catalogue per language: the keys are the same in all of them."""
