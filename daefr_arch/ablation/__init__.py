"""Ablation tables of the paper: trains the rows of a table, restores a test set with each and measures the results."""
