"""Evidence and harmoniser, from their tiny option files."""

import copy

import cv2
import numpy as np
import pytest
import torch
from basicsr.models import build_model
from torch.nn import functional as F

from daefr_arch.errors import InputError
from daefr_arch.io.tensors import to_tensor
from tests.data.faces import face as real_face
from tests.models.parameter_hash import parameter_hash
from tests.models.stages import ROOT, batches, tiny_options, train, write_faces


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp('evidence')
    write_faces(folder / 'faces')
    return folder


@pytest.fixture(scope='module')
def evidence(work):
    torch.manual_seed(0)
    return train(tiny_options('evidence', work))


@pytest.fixture(scope='module')
def strips(work):
    """A photo, a network's face (another one) and the truth, of each face."""
    folder = work / 'strips'
    folder.mkdir()
    faces = [cv2.imread(str(path)) for path in sorted((work / 'faces').glob('*.png'))]
    for i, face in enumerate(faces):
        photo = cv2.resize(cv2.resize(face, (12, 12), interpolation=cv2.INTER_AREA), (32, 32))
        cv2.imwrite(str(folder / f'{i}.png'), np.concatenate((photo, faces[i - 1], face), 1))
    return folder


def harmoniser_options(work, strips):
    options = tiny_options('harmoniser', work)
    options['datasets']['train']['dataroot_gt'] = str(strips)
    return options


def losses_of_one_batch(model, options, steps, name):
    """The loss of this name before each step, all of them on the first batch."""
    (batch,) = batches(options, 1)
    losses = []
    for iteration in range(1, steps + 1):
        model.feed_data(batch)
        model.optimize_parameters(iteration)
        losses.append(model.get_current_log()[name])
    return losses


def test_evidence_is_learned(work):
    """On one batch: the stage as it stands sees too few photos to tell others apart."""
    torch.manual_seed(0)
    options = tiny_options('evidence', work)
    model = build_model(options)
    losses = losses_of_one_batch(model, options, 60, 'l_evidence')
    assert losses[-1] < 0.5 * losses[0]
    assert model.get_current_log()['explained'] > 0.3


def test_validation_shows_the_photo_with_its_bands_scaled_by_their_evidence(work):
    """By the shipped weights: of a noisy photo less error is left, of the true face nearly all."""
    options = tiny_options('evidence', work)
    options['network_g'] = {'type': 'DAEFREvidence'}
    options['path']['pretrain_network_g'] = str(ROOT / 'weights' / 'daefr_evidence_256.safetensors')
    model = build_model(options)
    truth = to_tensor(real_face(256))
    noisy = truth + 0.15 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    model.feed_data({'lq': noisy, 'gt': truth})
    with model.evaluating():
        restored = model.restore()
    assert restored.shape == truth.shape
    assert F.mse_loss(restored, truth) < 0.5 * F.mse_loss(noisy, truth)


@pytest.mark.parametrize('stage', ['evidence', 'harmoniser'])
def test_a_resumed_run_is_the_same_to_the_bit(stage, evidence, work, strips):
    options = tiny_options('evidence', work) if stage == 'evidence' else harmoniser_options(work, strips)
    torch.manual_seed(3)
    model = build_model(copy.deepcopy(options))
    data = list(batches(options, 4))
    for iteration, batch in enumerate(data, start=1):
        model.feed_data(batch)
        model.optimize_parameters(iteration)
        if iteration == 2:
            model.save(0, 2)
    state = torch.load(f'{options["path"]["training_states"]}/2.state', weights_only=True)
    options['path']['resume_state'] = f'{options["path"]["training_states"]}/2.state'
    resumed = build_model(copy.deepcopy(options))
    resumed.resume_training(state)
    for iteration, batch in enumerate(data[2:], start=3):
        resumed.feed_data(batch)
        resumed.optimize_parameters(iteration)
    assert parameter_hash([resumed.nets['g']]) == parameter_hash([model.nets['g']])


def test_harmoniser_learns_on_a_frozen_evidence(evidence, work, strips):
    options = harmoniser_options(work, strips)
    torch.manual_seed(0)
    model = build_model(copy.deepcopy(options))
    before = parameter_hash([model.evidence])
    first = None
    for iteration, batch in enumerate(batches(options, 60), start=1):
        model.feed_data(batch)
        model.optimize_parameters(iteration)
        first = first or model.get_current_log()['l_pix']
    assert parameter_hash([model.evidence]) == before
    assert model.get_current_log()['l_pix'] < 0.75 * first


def test_harmoniser_learns_against_a_discriminator_from_its_first_iteration_on(evidence, work, strips):
    options = harmoniser_options(work, strips)
    options['network_d'] = {'type': 'DAEFRTextureDiscriminator', 'ch': 4}
    options['train'] |= {
        'gan_opt': {'type': 'DAEFRAdversarialLoss', 'loss_weight': 0.1, 'start_iteration': 3},
        'optim_d': {'type': 'Adam', 'lr': 1e-3},
    }
    model = build_model(copy.deepcopy(options))
    before = parameter_hash([model.nets['d']])
    for iteration, batch in enumerate(batches(options, 4), start=1):
        model.feed_data(batch)
        model.optimize_parameters(iteration)
        assert ('l_g_gan' in model.get_current_log()) == ('l_d' in model.get_current_log()) == (iteration >= 3)
        assert (parameter_hash([model.nets['d']]) == before) == (iteration < 3)
    del options['network_d']
    with pytest.raises(InputError, match='network_d is missing'):
        build_model(options)


def test_harmoniser_needs_evidence_losses_and_a_networks_faces(evidence, work, strips):
    options = harmoniser_options(work, strips)
    lacking = copy.deepcopy(options)
    lacking['path']['pretrain_network_evidence'] = None
    with pytest.raises(InputError, match='pretrain_network_evidence is missing'):
        build_model(lacking)
    lacking = copy.deepcopy(options)
    del lacking['train']['pixel_opt'], lacking['train']['perceptual_opt']
    with pytest.raises(InputError, match='expected a loss on images'):
        build_model(lacking)
    model = build_model(copy.deepcopy(options))
    with pytest.raises(InputError, match="needs a dataset with a network's faces"):
        model.feed_data(next(batches(tiny_options('evidence', work), 1)))
