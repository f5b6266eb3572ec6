"""`daefr cluster`: prepare, run as a SLURM array does, verify."""

import json
import logging
import sys

import pytest

from daefr_arch.commands import exit_codes
from daefr_arch.commands.cli import main
from tests.cluster.photos import make_tree, write_photo


@pytest.fixture
def job(tmp_path):
    for number in range(4):
        write_photo(tmp_path / f'tree/{number}.png', seed=number)
    output = str(tmp_path / 'job')
    assert main(['cluster', 'prepare', '-i', str(tmp_path / 'tree'), '-o', output, '--shard-size', '2']) == 0
    return output


def test_without_ray_one_worker_does_its_share(job, monkeypatch, caplog):
    """Its process is a new one, which loads the default model."""
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(sys.modules, 'ray', None)
    assert main(['cluster', 'verify', '-o', job]) == exit_codes.FAILED
    assert 'missing 4' in caplog.text
    run = ['cluster', 'run', '-o', job, '--device', 'cpu', '--offline', '-s', '1']
    assert main([*run, '--shard', '0/1']) == exit_codes.OK
    assert '2 shards, 4 photos' in caplog.text
    assert main(['cluster', 'verify', '-o', job]) == exit_codes.OK
    assert 'missing 0, duplicates 0, temporaries 0, lost 0, strangers 0' in caplog.text
    with open(f'{job}/settings.json') as settings:
        assert json.load(settings)['restorer.upscale'] == '1.0'


def test_what_is_not_installed_is_named(job, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, 'ray', None)
    assert main(['cluster', 'run', '-o', job]) == exit_codes.USAGE
    assert "workers on many machines need Ray: pip install 'daefr_arch[cluster]'" in caplog.text
    monkeypatch.setitem(sys.modules, 's3fs', None)
    assert main(['cluster', 'verify', '-o', 's3://bucket/folder']) == exit_codes.USAGE
    assert "pip install 'daefr_arch[s3]'" in caplog.text
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    assert main(['cluster', 'verify', '-o', job]) == exit_codes.USAGE
    assert 'manifests need PyArrow' in caplog.text


@pytest.mark.parametrize('share', ['8/8', '1', '-1/8', 'a/b', '0/0'])
def test_shares_that_are_none(job, share, capsys):
    with pytest.raises(SystemExit):
        main(['cluster', 'run', '-o', job, f'--shard={share}'])
    assert 'expected I/N' in capsys.readouterr().err


def test_names_that_are_not_utf8_are_told(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    output = str(tmp_path / 'job')
    assert main(['cluster', 'prepare', '-i', str(make_tree(tmp_path / 'tree', 9)), '-o', output]) == exit_codes.OK
    assert '9 photos in 1 shards' in caplog.text
    assert main(['cluster', 'verify', '-o', output]) == exit_codes.FAILED
    assert 'missing: names/' in caplog.text
