"""What keeping the photo's evidence costs beside the network that guesses the rest."""

import cv2
import numpy as np

from daefr_arch.checkpoints import load_network
from daefr_arch.restoration.face_restorer import load_fusion
from daefr_arch.runtime.face_network import FaceNetwork
from tests.benchmarks.row import Row, alternate
from tests.faces.photos import astronaut

REPETITIONS = 7


def evidence_rows() -> list[Row]:
    """Judging a crop and fusing it with the network's face, in float32, against the default model in the same run."""
    fusion = load_fusion(offline=True)
    network = FaceNetwork(load_network(offline=True), device='cpu', precision='fp32')
    crop = [cv2.GaussianBlur(np.ascontiguousarray(astronaut()[0:256, 100:356]), (0, 0), 3)]
    face = network.restore(crop)
    functions = [
        lambda: network.restore(crop),
        lambda: fusion.fuse(crop, face, evidence=fusion.assess(crop)),
        lambda: fusion.assess(crop),
    ]
    for function in functions:
        function()
    baseline, both, assess = alternate(functions, REPETITIONS)
    return [
        Row('evidence and fusion of a face, CPU', both, baseline, at_most=0.06),
        Row('of which evidence: all that a kept face costs', assess, baseline, at_most=1 / 3, relative=True),
    ]
