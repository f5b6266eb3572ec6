"""Every hostile file at every door: one clear WeightsError, soon, in little memory, and no code of the file runs."""

import json
import subprocess
import sys

import pytest
import torch

from daefr_arch import checkpoints
from daefr_arch.checkpoints import create_network as build_network
from daefr_arch.checkpoints.pickle_depth import check_depth
from daefr_arch.errors import WeightsError
from daefr_arch.losses.identity_loss import load_embedding_network
from daefr_arch.metrics.face_embedding import OnnxEmbedder
from tests.checkpoints.hostile_files import FILES, OPTIONS
from tests.models.stages import ROOT

SECONDS, MEMORY_MIB = 5, 1024
# the tensors are right, and a training has the options of its own file
WORDS = ('vast size', 'vast table', 'ten million layers', 'ten million blocks', 'another')
RIGHT = {f'network: {words} at training' for words in WORDS}


@pytest.fixture(scope='module')
def outcome(tmp_path_factory):
    """In a process of its own, which a crash or a hang ends alone."""
    command = [sys.executable, '-m', 'tests.checkpoints.hostile_files', str(tmp_path_factory.mktemp('hostile'))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    last = run.stderr.strip().splitlines()[-1:]
    assert run.returncode == 0, f'{last}: {run.returncode} {run.stderr[-2000:]}'
    return json.loads(run.stdout.splitlines()[-1])


def test_each_is_one_clear_error_at_every_door(outcome):
    results = outcome['results']
    wrong = {case: result for case, result in results.items() if result[0] != 'WeightsError'}
    assert wrong.keys() == RIGHT
    for case, (_, message, _) in results.items():
        if case in wrong:
            continue
        assert len(message) < 1500, case
        assert message.isprintable(), case
        assert 'weights.pth' in message or case.endswith('objects ignored'), f'{case}: {message}'


def test_it_comes_soon_and_in_little_memory(outcome):
    assert {case: seconds for case, (*_, seconds) in outcome['results'].items() if seconds > SECONDS} == {}
    assert outcome['more_mib'] < MEMORY_MIB


def test_no_code_ran(outcome):
    assert outcome['ran'] is False


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('page', 'web page'),
        ('lfs pointer', 'git lfs pull'),
        ('empty', 'the file is empty'),
        ('not a number', 'feat_embedding.weight: expected finite numbers'),
        ('complex', 'hq_encoder.norm_out.weight: expected real numbers'),
        ('truncated', 'these weights were truncated'),
        ('numbers as keys', 'text as keys, got 1'),
        ('code', '--ignore-objects'),
        ('tuples in tuples', 'nests more than 200'),
        ('zip bomb', 'its records claim'),
        ('network: ten million layers', 'describe a network of more than'),
        ('network: negative size', 'ch: expected integer'),
        ('network: unknown type', "no network called 'Nothing'"),
        ('network: one that reads files', 'SpyNet of BasicSR'),
        ('network: unknown key', 'colour'),
        ('provenance: numbers', 'its provenance: '),
    ],
)
def test_the_message_says_what_is_wrong(outcome, name, words):
    assert words in outcome['results'][f'{name} at network'][1]


def test_the_table_stands_for_each_kind():
    assert len(FILES) > 60


@pytest.mark.parametrize('wrapper', ['module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.'])
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_prefixes_of_wrappers_are_left_out(tmp_path, wrapper, suffix):
    network = build_network(OPTIONS)
    wrapped = {wrapper + key: value for key, value in network.state_dict().items()}
    path = tmp_path / f'net.{suffix}'
    if suffix == 'pth':
        torch.save({'params': wrapped}, path)
    else:
        checkpoints.save_network(path, wrapped, OPTIONS)
    loaded = checkpoints.load_network(path)
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in loaded.state_dict().items())


def test_what_a_file_is_does_not_hang_on_its_name(tmp_path):
    network = build_network(OPTIONS)
    checkpoints.save_network(tmp_path / 'a.safetensors', network.state_dict(), OPTIONS)
    (tmp_path / 'a.safetensors').rename(tmp_path / 'net.pth')
    torch.save({'params': network.state_dict()}, tmp_path / 'net.safetensors')
    for name in ('net.pth', 'net.safetensors'):
        assert checkpoints.load_network(tmp_path / name).resolution == OPTIONS['resolution']


def test_files_of_old_pytorch_are_read(tmp_path):
    network = build_network(OPTIONS)
    torch.save({'params': network.state_dict()}, tmp_path / 'net.pth', _use_new_zipfile_serialization=False)
    assert checkpoints.load_network(tmp_path / 'net.pth').resolution == OPTIONS['resolution']


def test_ordinary_nesting_is_no_problem(tmp_path):
    state = {'optimizers': [{'state': {i: {'exp_avg': torch.zeros(1)} for i in range(3000)}}] * 3, 'loops': {}}
    place = state['loops']
    for _ in range(30):
        place['deeper'] = place = {'options': [1, (2, 3)]}
    torch.save(state, tmp_path / 'old.state', _use_new_zipfile_serialization=False)
    torch.save(state, tmp_path / 'new.state')
    with pytest.raises(WeightsError, match='is not a training state: expected'):  # and nothing about its depth
        checkpoints.load_training_state(tmp_path / 'new.state')
    with (tmp_path / 'old.state').open('rb') as stream:
        check_depth(stream)


@pytest.mark.parametrize('load', [OnnxEmbedder, load_embedding_network])
@pytest.mark.parametrize('name', ['empty', 'text', 'page', 'zeros', 'picture', 'zip bomb', 'code alone'])
def test_embedding_networks_go_by_the_same_words(tmp_path, load, name):
    FILES[name](tmp_path / 'network.onnx')
    with pytest.raises(WeightsError, match='expected an ONNX network'):
        load(tmp_path / 'network.onnx')


@pytest.mark.parametrize('load', [OnnxEmbedder, load_embedding_network])
def test_an_embedding_network_with_nan_is_refused(tmp_path, load):
    layers = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 4))
    layers[2].bias.data.fill_(float('nan'))
    path = tmp_path / 'network.onnx'
    torch.onnx.export(layers, (torch.zeros(1, 3, 112, 112),), path, dynamo=False, input_names=['x'])
    with pytest.raises(WeightsError, match='expected finite embeddings'):
        load(path)
