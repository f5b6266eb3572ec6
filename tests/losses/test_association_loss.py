import math

import pytest
import torch

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.checkpoints import convert_official
from daefr_arch.losses.association_loss import DAEFRAssociationLoss, association_matrix
from tests.golden_parameters import TINY, golden, image, official_state_dict, relative_error


@pytest.fixture(scope='module')
def features():
    """The features of the two reference autoencoders, of the clean and of the degraded image."""
    parts = convert_official(official_state_dict('association_tiny'))
    features = []
    for part, name in (('hq_codebook', 'tiny.gt'), ('lq_codebook', 'tiny.lq')):
        network = DAEFRCodebook(**TINY)
        network.load_state_dict(parts[part])
        with torch.no_grad():
            features.append(network.encode(image(name, 2, 32)))
    return features


@pytest.mark.parametrize('scope', ['image', 'batch'])
def test_equals_the_reference(features, scope):
    loss = DAEFRAssociationLoss(scope=scope)(*features)
    assert relative_error(loss, golden()[f'association_loss_{scope}']) < 1e-5


def test_matrix_by_hand():
    hq = torch.tensor([[[3.0, 0.0]], [[4.0, 2.0]]]).view(1, 2, 1, 2)  # patches (3, 4) and (0, 2)
    lq = torch.tensor([[[1.0, 0.0]], [[0.0, 5.0]]]).view(1, 2, 1, 2)  # patches (1, 0) and (0, 5)
    expected = torch.tensor([[[0.6, 0.8], [0.0, 1.0]]])
    torch.testing.assert_close(association_matrix(hq, lq), expected)


def test_scope_of_the_matrix():
    hq, lq = torch.randn(2, 3, 8, 4, 4)
    batch, per_image = association_matrix(hq, lq, 'batch'), association_matrix(hq, lq, 'image')
    assert batch.shape == (1, 48, 48)
    for index in range(3):
        part = slice(16 * index, 16 * index + 16)
        torch.testing.assert_close(batch[0, part, part], per_image[index])


def test_equal_features_are_the_minimum_of_every_form():
    feature = torch.eye(16).view(1, 16, 4, 4)
    for form in ('l1', 'l2'):
        assert DAEFRAssociationLoss(form=form)(feature, feature).item() == 0
    expected = math.log1p(15 * math.exp(-2))
    assert DAEFRAssociationLoss(temperature=0.5)(feature, feature).item() == pytest.approx(expected, rel=1e-5)
    assert DAEFRAssociationLoss()(feature, feature.roll(1, 3)).item() > 10


def test_l1_and_l2_by_hand():
    hq, lq = torch.zeros(1, 2, 1, 1), torch.tensor([1.0, -3.0]).view(1, 2, 1, 1)
    assert DAEFRAssociationLoss(form='l1')(hq, lq).item() == 2
    assert DAEFRAssociationLoss(form='l2', loss_weight=2.0)(hq, lq).item() == 10


def test_temperature_learns_only_when_asked():
    features = torch.randn(2, 1, 8, 4, 4)
    fixed, learned = DAEFRAssociationLoss(), DAEFRAssociationLoss(learn_temperature=True)
    assert not any(parameter.requires_grad for parameter in fixed.parameters())
    learned(*features).backward()
    assert learned.log_scale.grad.abs() > 0


@pytest.mark.parametrize('form', ['cross_entropy', 'l1', 'l2'])
@pytest.mark.parametrize('scope', ['image', 'batch'])
def test_gradients(form, scope):
    loss = DAEFRAssociationLoss(form=form, scope=scope, temperature=0.5, learn_temperature=True).double()
    features = [torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda *_: loss(*features), (*features, loss.log_scale))


def test_half_precision_is_computed_in_float32():
    features = torch.randn(2, 2, 8, 4, 4).bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        loss = DAEFRAssociationLoss()(*features)
    assert loss.dtype == torch.float32
    assert loss == DAEFRAssociationLoss()(*features.float())


@pytest.mark.parametrize('options', [{'form': 'cosine'}, {'scope': 'patch'}, {'temperature': 0.0}])
def test_wrong_options(options):
    with pytest.raises(ValueError, match='expected'):
        DAEFRAssociationLoss(**options)
