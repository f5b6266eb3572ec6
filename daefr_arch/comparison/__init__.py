"""Comparing restoration methods on the same aligned faces; `daefr compare`."""
