"""A local page to drop photos on, and the same as an API for other programs."""
