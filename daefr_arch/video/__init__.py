"""Films in, films out: decoded and encoded with PyAV, their faces followed and restored without flicker."""
