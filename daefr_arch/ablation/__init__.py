"""What the paper's ablations look at beside the restored faces: the paths of Fig. 6 and the association of Sec. 3.2."""
