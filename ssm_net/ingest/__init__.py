"""Readers of the archives' own files: one table of products, one reader a file family."""
