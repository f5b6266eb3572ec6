import pytest
import torch
from basicsr.models import build_model

from daefr_arch.checkpoints import load_training_state
from daefr_arch.errors import InputError, TrainingError
from tests.models.stages import batches, tiny_options, write_faces


@pytest.fixture
def options(tmp_path):
    write_faces(tmp_path / 'faces')
    return tiny_options('stage1_hq', tmp_path)


def test_domain_chooses_the_images(options):
    batch = next(batches(options, 1))
    for domain, key in (('hq', 'gt'), ('lq', 'lq')):
        options['train'] |= {'domain': domain, 'scheduler': {'type': 'MultiStepLR', 'milestones': [9], 'gamma': 1.0}}
        model = build_model(options)
        model.feed_data(batch)
        assert torch.equal(model.image, batch[key])


def test_discriminator_waits_for_its_iteration(options):
    options['train']['gan_opt']['start_iteration'] = 2
    model = build_model(options)
    discriminator = [parameter.clone() for parameter in model.net_d.parameters()]
    for iteration, batch in enumerate(batches(options, 2), start=1):
        model.feed_data(batch)
        model.optimize_parameters(iteration)
        same = all(torch.equal(a, b) for a, b in zip(model.net_d.parameters(), discriminator, strict=True))
        assert same == (iteration == 1)
        assert ('l_d' in model.get_current_log()) == (iteration == 2)


def test_one_forward_pass_of_the_autoencoder_a_step(options):
    model = build_model(options)
    model.updates.started.fill_(True)
    calls = []
    model.net_g.encoder.register_forward_hook(lambda *_: calls.append(1))
    model.feed_data(next(batches(options, 1)))
    model.optimize_parameters(1000)
    assert len(calls) == 1


def test_plain_codebook_learns_by_gradient_in_the_papers_form(options):
    options['train'] |= {'codebook_opt': {}, 'code_opt': {'type': 'DAEFRCodeLoss'}}
    model = build_model(options)
    before = model.net_g.codebook.embedding.weight.clone()
    model.feed_data(next(batches(options, 1)))
    model.optimize_parameters(1)
    assert not torch.equal(model.net_g.codebook.embedding.weight, before)


def test_nan_stops_the_run_and_names_the_files(options):
    model = build_model(options)
    batch = next(batches(options, 1))
    batch['gt'][0] = float('nan')
    model.feed_data(batch)
    model.optimize_parameters(1)
    with pytest.raises(TrainingError, match=r'iteration 1.*astronaut_0\.png'):
        model.save(0, 1)


@pytest.mark.parametrize('missing', ['pixel_opt', 'code_opt'])
def test_missing_loss_is_named(options, missing):
    del options['train'][missing]
    with pytest.raises(InputError, match=rf'train\.{missing} is missing'):
        build_model(options)


def test_a_network_that_resumption_ignores_starts_again(options):
    saved = build_model(options)
    saved.save(0, 5)
    state = f'{options["path"]["training_states"]}/5.state'
    options['path'] |= {'resume_state': state, 'ignore_resume_networks': ['network_d']}
    model = build_model(options)
    fresh = model.net_d.main[0].weight.clone()
    model.resume_training(load_training_state(state))
    assert torch.equal(model.net_g.encoder.conv_in.weight, saved.net_g.encoder.conv_in.weight)
    assert torch.equal(model.net_d.main[0].weight, fresh)
    assert not torch.equal(fresh, saved.net_d.main[0].weight)
