"""Option files: `base`, keys and values."""
