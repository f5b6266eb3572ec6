"""The backbone of the perceptual loss: one a run, the same after resumption and in every process."""

import pytest
import torch

from daefr_arch.errors import WeightsError
from daefr_arch.losses import perceptual_loss
from daefr_arch.losses.perceptual_distance import FeatureDistance
from daefr_arch.models import perceptual_backbone
from daefr_arch.models.perceptual_backbone import settle_backbone
from daefr_arch.models.resumption import load_resume_state
from tests.models.stages import tiny_options, train, write_faces


@pytest.fixture
def at_hand(monkeypatch):
    """The backbones whose weights can be had; each is one convolution."""
    names = {'efficientnet_lite0'}

    def build(name, feature_norm, reduction):
        if name not in names:
            raise WeightsError(f'{name} is not at hand')
        return FeatureDistance([torch.nn.Conv2d(3, 4, 3)], [0.5] * 3, [0.5] * 3, feature_norm, reduction)

    monkeypatch.setattr(perceptual_loss, 'build_perceptual_distance', build)
    return names


def _options(**perceptual):
    return {'perceptual_opt': {'type': 'DAEFRPerceptualLoss', 'loss_weight': 2.0, **perceptual}}


def test_a_named_backbone_without_fallback_is_that_one_or_an_error(at_hand):
    options = _options(backbone='vgg19')
    assert settle_backbone(options, rank=0) == 'vgg19'
    assert options == _options(backbone='vgg19')
    with pytest.raises(WeightsError, match='vgg19 is not at hand; fallback: efficientnet_lite0'):
        perceptual_loss.DAEFRPerceptualLoss('vgg19')
    with pytest.raises(WeightsError, match='vgg19 is not at hand; lpips: lpips is not at hand'):
        settle_backbone(_options(backbone='vgg19', fallback='lpips'), rank=0)


def test_what_was_used_is_kept_though_the_first_choice_can_be_had_now(at_hand):
    options = _options(backbone='vgg19', fallback='efficientnet_lite0')
    assert settle_backbone(options, rank=0) == 'efficientnet_lite0'
    assert options == _options(backbone='efficientnet_lite0', fallback=None)
    at_hand.add('vgg19')
    fresh = _options(backbone='vgg19', fallback='efficientnet_lite0')
    assert settle_backbone(dict(fresh), rank=0) == 'vgg19'
    assert settle_backbone(fresh, rank=0, kept='efficientnet_lite0') == 'efficientnet_lite0'
    at_hand.add('lpips')
    changed = _options(backbone='vgg19', fallback='efficientnet_lite0')
    assert settle_backbone(changed, rank=0, kept='lpips') == 'vgg19'  # the file rules it out


def test_other_processes_take_what_the_first_has_found(at_hand, monkeypatch):
    monkeypatch.setattr(perceptual_backbone, 'gather_objects', lambda value: [('efficientnet_lite0', None), value])
    at_hand.add('vgg19')  # here, but not there
    assert settle_backbone(_options(backbone='vgg19', fallback='efficientnet_lite0'), rank=1) == 'efficientnet_lite0'
    monkeypatch.setattr(perceptual_backbone, 'gather_objects', lambda value: [(None, 'nothing there'), value])
    with pytest.raises(WeightsError, match='nothing there'):
        settle_backbone(_options(backbone='vgg19', fallback='efficientnet_lite0'), rank=1)


def test_it_stands_in_the_training_state_and_is_kept_on_resume(at_hand, tmp_path):
    write_faces(tmp_path / 'faces')

    def options():
        read = tiny_options('stage1_hq', tmp_path) | {'auto_resume': True}
        read['train'] |= {'gan_opt': None, 'total_iter': 1} | _options(backbone='vgg19', fallback='efficientnet_lite0')
        return read

    model, _ = train(options())
    model.save(0, 1)
    at_hand.add('vgg19')
    resumed = options()
    state = load_resume_state(resumed, is_ours=True)
    assert state['perceptual_backbone'] == 'efficientnet_lite0'
    model, _ = train(resumed, steps=1)
    assert model.path.losses.image.losses['l_percep'].backbone == 'efficientnet_lite0'
