import torch

from daefr_arch.checkpoints import load_network
from tests.benchmarks.reference_network import ReferenceNetwork
from tests.faces.photos import astronaut


def test_reference_equals_the_network() -> None:
    """On a real face with the default model, so that every part matters and many codes are in use."""
    network = load_network(offline=True)
    face = torch.from_numpy(astronaut()[0:256, 100:356, ::-1].copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        restored, logits, _ = network(face)
    expected_restored, expected_logits = ReferenceNetwork(network)(face)
    torch.testing.assert_close(logits, expected_logits, rtol=0, atol=3e-4)
    torch.testing.assert_close(restored, expected_restored, rtol=0, atol=3e-4)
    assert logits.argmax(2).unique().numel() > 100
