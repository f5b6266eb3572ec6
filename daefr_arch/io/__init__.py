"""Files and pictures in and out: atomic writing, photos and their formats, pairing by name, tensors, contact sheets."""
