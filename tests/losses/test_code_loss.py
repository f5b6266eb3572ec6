import pytest
import torch

from daefr_arch.archs.codebook_arch import DAEFRCodebook
from daefr_arch.checkpoints import convert_official
from daefr_arch.losses.code_loss import DAEFRCodeLoss
from tests.golden_parameters import TINY, golden, image, official_state_dict, relative_error


@pytest.fixture(scope='module')
def stage1():
    network = DAEFRCodebook(**TINY)
    network.load_state_dict(convert_official(official_state_dict('codebook_tiny'))['codebook'])
    with torch.no_grad():
        return network(image('tiny.gt', 2, 32))


def test_official_form_equals_the_reference(stage1):
    reference = golden()
    loss = DAEFRCodeLoss(form='official')(stage1.feature, stage1.codes)
    assert relative_error(loss, reference['stage1_code_loss_official']) < 1e-5
    assert relative_error(stage1.reconstruction, reference['stage1_reconstruction']) < 1e-4
    assert (stage1.indices == torch.from_numpy(reference['stage1_code_index'])).all()


def test_forms_weigh_opposite_terms():
    feature, codes = torch.tensor([[[[1.0]]]], requires_grad=True), torch.tensor([[[[4.0]]]], requires_grad=True)
    for form, feature_grad, codes_grad in (('paper', -6 * 0.25, 6.0), ('official', -6.0, 6 * 0.25)):
        grads = torch.autograd.grad(DAEFRCodeLoss(beta=0.25, form=form)(feature, codes), (feature, codes))
        assert [grad.item() for grad in grads] == [feature_grad, codes_grad]


def test_without_codebook_term_only_the_feature_gets_a_gradient():
    feature, codes = torch.ones(1, 2, 3, 3, requires_grad=True), torch.zeros(1, 2, 3, 3, requires_grad=True)
    loss = DAEFRCodeLoss(codebook_term=False)(feature, codes)
    assert loss.item() == 0.25
    loss.backward()
    assert codes.grad is None
    assert feature.grad is not None


def test_sums_are_those_of_an_image():
    feature, codes = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    loss = DAEFRCodeLoss(beta=0.25, reduction='sum')(feature, codes)
    torch.testing.assert_close(loss, 1.25 * (feature - codes).square().sum((1, 2, 3)).mean())


@pytest.mark.parametrize('form', ['paper', 'official'])
def test_gradients(form):
    feature, codes = (torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    # a stop-gradient differs from finite differences: each term by itself, by the input that it moves
    commitment = DAEFRCodeLoss(form=form, codebook_term=False)
    codebook = DAEFRCodeLoss(form=form)
    codebook.commitment_weight = 0.0
    assert torch.autograd.gradcheck(lambda z: commitment(z, codes), (feature,))
    assert torch.autograd.gradcheck(lambda c: codebook(feature, c), (codes,))


def test_unknown_form():
    with pytest.raises(ValueError, match="got 'vqgan'"):
        DAEFRCodeLoss(form='vqgan')
    with pytest.raises(ValueError, match="got 'none'"):
        DAEFRCodeLoss(reduction='none')
