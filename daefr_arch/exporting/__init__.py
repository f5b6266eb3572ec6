"""A DAEFR as an ONNX file that programs without PyTorch run, and the proof that it computes the same."""
