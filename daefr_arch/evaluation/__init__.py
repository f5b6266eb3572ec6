"""Folders of results measured: evaluator and reports."""
