"""Metrics: one a file, each a registered function `daefr_*` (BasicSR's calling convention) and a class beside it.

`evaluator.Evaluator` measures folders with them, `verification` is the LFW protocol. Images are BGR uint8 (H, W, 3).
"""
