import pytest
import torch

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import convert_official
from daefr_arch.losses.prediction_loss import DAEFRPredictionLoss
from tests.golden_parameters import TINY, TINY_DAEFR, golden, image, official_state_dict, relative_error


@pytest.fixture(scope='module')
def stage3():
    """The reference network after backward, and its losses, as computed from the frozen stage-1 autoencoder."""
    parts = convert_official(official_state_dict('daefr_tiny'))
    network, codebook = DAEFR(**TINY_DAEFR), DAEFRCodebook(**TINY)
    network.load_state_dict(parts['daefr'])
    codebook.load_state_dict(parts['hq_codebook'])
    with torch.no_grad():
        target = codebook.codebook(codebook.encode(image('tiny.gt', 2, 32)))
    _, logits, fused = network(image('tiny.lq', 2, 32), code_only=True)
    losses = DAEFRPredictionLoss()(logits, fused, target.indices, target.codes)
    (losses.feature + losses.code_index).backward()
    return network, losses, target


def test_losses_and_targets_equal_the_reference(stage3):
    _, losses, target = stage3
    reference = golden()
    assert (target.indices == torch.from_numpy(reference['gt_code_index'])).all()
    assert relative_error(target.codes, reference['gt_quantized']) < 1e-4
    assert relative_error(losses.feature / 10, reference['loss_code_feature']) < 1e-5
    assert relative_error(losses.code_index, reference['loss_code_index']) < 1e-5


@pytest.mark.parametrize(
    ('name', 'parameter'),
    [
        ('grad_feat_emb', 'feat_embedding.weight'),
        ('grad_lq_conv_in', 'lq_encoder.conv_in.weight'),
        ('grad_hq_conv_in', 'hq_encoder.conv_in.weight'),
    ],
)
def test_gradients_equal_the_reference(stage3, name, parameter):
    network, _, _ = stage3
    assert relative_error(network.get_parameter(parameter).grad, golden()[name]) < 1e-4


def test_by_hand():
    logits = torch.tensor([[[0.0, 0.0]]])
    losses = DAEFRPredictionLoss(feature_weight=10, index_weight=2)(
        logits, torch.full((1, 4, 1, 1), 3.0), torch.tensor([[1]]), torch.ones(1, 4, 1, 1)
    )
    assert losses.feature.item() == pytest.approx(40)
    assert losses.code_index.item() == pytest.approx(2 * torch.tensor(2.0).log().item())


def test_sums_are_those_of_an_image():
    torch.manual_seed(0)
    logits, indices = torch.randn(2, 9, 5), torch.randint(5, (2, 9))
    fused, codes = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    loss = DAEFRPredictionLoss(reduction='sum')(logits, fused, indices, codes)
    torch.testing.assert_close(loss.feature, 10 * (fused - codes).square().sum((1, 2, 3)).mean())
    log_probability = logits.log_softmax(2).gather(2, indices[..., None])
    torch.testing.assert_close(loss.code_index, -log_probability.sum((1, 2)).mean())
    means = DAEFRPredictionLoss()(logits, fused, indices, codes)
    balance, balance_of_means = (losses.feature / losses.code_index for losses in (loss, means))
    torch.testing.assert_close(balance, 4 * balance_of_means)  # d = 4 values a place


def test_float64_gradients_and_none_for_the_target():
    logits = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    fused, codes = (torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    indices = torch.randint(5, (2, 4))
    loss = DAEFRPredictionLoss(label_smoothing=0.1)
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, indices, codes), (logits, fused))
    sum(loss(logits, fused, indices, codes)).backward()
    assert codes.grad is None
