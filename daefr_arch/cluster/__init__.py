"""Millions of photos: a manifest in shards, workers on many machines, and a proof that nothing is lost or twice."""
