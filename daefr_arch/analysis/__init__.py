"""Looking into the stages: reconstruction by the codebooks, similarity of the encoders."""
