"""The paper's and the official stages, one after another, at a tiny size: only sizes, rate and length are changed."""

import math

import pytest
import torch
from basicsr.models import build_model
from torch import nn
from torch.nn import functional as F

from daefr_arch.losses import perceptual_distance
from daefr_arch.losses.perceptual_distance import FeatureDistance
from tests.models.stages import one_process, read_options, train, validation_batch, write_faces

ITERATIONS = {'stage1_hq': 60, 'stage1_lq': 25, 'stage2_association': 15, 'stage3_restoration': 110}
RATES = {'stage1_hq': 3e-3, 'stage1_lq': 3e-3, 'stage2_association': 1e-3, 'stage3_restoration': 3e-3}
SIDE = 16  # pixels of a face
DEGRADATION = {'gt_size': SIDE, 'blur_sigma': [0.1, 1.5], 'downsample_range': [3, 6]}  # of 512 pixels: far beyond 30
AUTOENCODER = {
    'resolution': SIDE,
    'ch': 32,
    'ch_mult': [1, 1],
    'num_res_blocks': 1,
    'z_channels': 32,
    'embed_dim': 32,
    'codebook_size': 256,
}
SIZES = {
    'DAEFRCodebook': AUTOENCODER,
    'DAEFR': AUTOENCODER | {'dim_embd': 64, 'n_head': 4, 'n_layers': 2, 'dim_mlp': 128},
    'DAEFRPatchDiscriminator': {'ch': 16, 'num_layers': 1},
}


def _small_network(feature_norm, reduction):
    """Random features in place of those that would be fetched."""
    torch.manual_seed(0)
    convs = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
    slices = [convs[0], nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), convs[1])]
    for conv in convs:
        nn.init.kaiming_normal_(conv.weight)
    return FeatureDistance(slices, [0.5] * 3, [0.5] * 3, feature_norm, reduction)


def _options(folder, stage, work):
    options = read_options(f'{folder}/{stage}')
    for dataset in options['datasets'].values():
        dataset |= DEGRADATION
    for key in [key for key in options if key.startswith('network_')]:
        network = options[key]
        network |= SIZES[network['type']]
        if network.get('attn_resolutions'):
            network['attn_resolutions'] = [SIDE // 2]
    optimisers = [options['train'][key] for key in ('optim_g', 'optim_d') if key in options['train']]
    for optimiser in optimisers:
        optimiser['lr'] = RATES[stage]
    adversarial = options['train'].get('gan_opt', {'start_iteration': 1})
    adversarial['start_iteration'] = min(adversarial['start_iteration'], 11)
    options['train']['total_iter'] = ITERATIONS[stage]
    return one_process(options, work)


def _psnr(a, b):
    return 10 * math.log10(4 / F.mse_loss(a, b).item())


def _restored(model, options):
    """PSNR of what the model makes of the validation images to what it is to make, and of its input to the latter."""
    model.feed_data(validation_batch(options))
    with model.evaluating():
        restored = model.restore()
    aims = {'DAEFRCodebookModel': 'image', 'DAEFRAssociationModel': 'lq', 'DAEFRRestorationModel': 'gt'}
    aim = getattr(model, aims[options['model_type']])
    return _psnr(restored, aim), _psnr(model.lq, model.gt)


@pytest.fixture(scope='module', params=['paper', 'official'])
def measured(request, tmp_path_factory):
    """Stage -> PSNR before its training, PSNR after it, PSNR of the degraded images; stages trained in a row."""
    work = tmp_path_factory.mktemp(request.param)
    write_faces(work / 'faces', SIDE)
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(perceptual_distance.BUILDERS, 'vgg19', _small_network)
        patch.setitem(perceptual_distance.BUILDERS, 'lpips', _small_network)
        for stage in ITERATIONS:
            options = _options(request.param, stage, work)
            torch.manual_seed(0)
            before, _ = _restored(build_model(options), options)
            torch.manual_seed(0)
            model, _ = train(options)
            results[stage] = before, *_restored(model, options)
    return results


def test_stages_1_learn_to_reconstruct(measured):
    for stage, gain in (('stage1_hq', 4), ('stage1_lq', 2)):
        before, after, _ = measured[stage]
        assert after > before + gain, stage


def test_stage_2_goes_on_reconstructing(measured):
    before, after, _ = measured['stage2_association']
    assert after > before


def test_stage_3_beats_the_input(measured):
    before, after, degraded = measured['stage3_restoration']
    assert after > before + 2
    assert after > degraded + 1
