"""One face: detecting, aligning, masking, pasting it."""
