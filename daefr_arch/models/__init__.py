"""BasicSR models: the training stages."""
