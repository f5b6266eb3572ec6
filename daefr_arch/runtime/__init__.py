"""The network at inference: batches, precision, CUDA graphs, memory."""
