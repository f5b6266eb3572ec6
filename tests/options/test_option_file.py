"""Option files with a base: merged, forced, and handed to BasicSR whole."""

from pathlib import Path

import pytest
import yaml

from daefr_arch.errors import InputError
from daefr_arch.models import training_run
from daefr_arch.options.option_file import force_options, read_option_file, resolved_option_file
from tests.models.stages import ROOT, write_faces


def _write(folder, **texts):
    for name, text in texts.items():
        folder.mkdir(exist_ok=True)
        (folder / f'{name}.yml').write_text(text)
    return folder / f'{next(iter(texts))}.yml'


def test_mappings_are_merged_and_everything_else_replaced(tmp_path):
    base = 'a: {x: 1, y: {z: 2, list: [1, 2]}}\nb: {c: 3}\nd: {e: 4}\nf: 5\nlr: !!float 1.44e-4\n'
    file = _write(
        tmp_path,
        child='base: parent.yml\na: {y: {list: [3]}, new: 6}\nb: ~\nd: text\nf: {g: 7}\neps: !!float 1e-5\n',
        parent=base,
    )
    assert read_option_file(file) == {
        'a': {'x': 1, 'y': {'z': 2, 'list': [3]}, 'new': 6},
        'b': None,
        'd': 'text',
        'f': {'g': 7},
        'lr': 1.44e-4,
        'eps': 1e-5,
    }
    assert read_option_file(tmp_path / 'parent.yml') == yaml.safe_load(base)


def test_a_chain_is_relative_to_each_file(tmp_path):
    _write(tmp_path, a='x: 1\ny: 1\nz: 1\n')
    _write(tmp_path / 'inner', b='base: ../a.yml\ny: 2\nz: 2\n')
    file = _write(tmp_path / 'other', c='base: ../inner/b.yml\nz: 3\n')
    assert read_option_file(file) == {'x': 1, 'y': 2, 'z': 3}


def test_an_alias_of_the_base_is_not_changed_with_its_anchor(tmp_path):
    file = _write(tmp_path, child='base: parent.yml\nhq: {ch: 8}\n', parent='hq: &net {ch: 4, n: 1}\nlq: *net\n')
    assert read_option_file(file) == {'hq': {'ch': 8, 'n': 1}, 'lq': {'ch': 4, 'n': 1}}
    options = read_option_file(tmp_path / 'parent.yml')
    assert force_options(options, ['hq:ch=2']) == {'hq': {'ch': 2, 'n': 1}, 'lq': {'ch': 4, 'n': 1}}
    assert options['hq']['ch'] == 4


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        ({'a': 'base: b.yml', 'b': 'base: c.yml', 'c': 'base: a.yml'}, r'a\.yml is its own base: .*b\.yml.*c\.yml'),
        ({'a': 'base: a.yml'}, r'a\.yml is its own base'),
        ({'a': 'base: none.yml'}, r'none\.yml, the base of .*a\.yml, cannot be read'),
        ({'a': 'base: 3'}, r'a\.yml: base: expected the path of an option file, got 3'),
        ({'a': 'base: ~'}, r'base: expected the path'),
        ({'a': 'base: b.yml', 'b': '[1]'}, r'b\.yml, the base of .*a\.yml, is no option file: expected a mapping'),
        ({'a': '{'}, r'a\.yml cannot be read as an option file'),
    ],
)
def test_a_wrong_base_is_named(tmp_path, texts, message):
    with pytest.raises(InputError, match=message):
        read_option_file(_write(tmp_path, **texts))


@pytest.mark.parametrize('entry', ['train', 'train:=3', 'nothing:lr=1', 'name:x=1'])
def test_a_wrong_forced_option_is_named(entry):
    with pytest.raises(InputError, match='--force_yml'):
        force_options({'name': 'a', 'train': {'lr': 1}}, [entry])


@pytest.mark.parametrize(('entry', 'value'), [('train:lr=1e-4', 1e-4), ('train:lr=~', None), ('train:lr=[1]', [1])])
def test_forced_values_are_basicsrs(entry, value):
    assert force_options({'train': {'lr': 1}}, [entry]) == {'train': {'lr': value}}


def test_a_dataset_of_the_base_is_left_out_by_an_empty_one(tmp_path):
    (tmp_path / 'base.yml').write_text('datasets: {train: {name: a}, val: {name: b}}\nval: {save_img: false}\n')
    (tmp_path / 'file.yml').write_text('base: base.yml\ndatasets: {val: ~}\nval: ~\n')
    assert read_option_file(tmp_path / 'file.yml') == {'datasets': {'train': {'name': 'a'}}, 'val': None}


def test_a_file_without_base_goes_through_unchanged():
    file = ROOT / 'options/official/stage1_hq.yml'
    with resolved_option_file(file) as resolved:
        assert resolved == str(file)


def test_the_shipped_rows_are_resolved_to_the_same_values():
    file = ROOT / 'options/ablation/table6_l1.yml'
    with resolved_option_file(file) as resolved:
        assert yaml.safe_load(Path(resolved).read_text()) == read_option_file(file)
    assert read_option_file(file)['train']['optim_g']['lr'] == 1.44e-4


def test_basicsr_debugs_a_file_without_validation(tmp_path):
    file = _run(tmp_path, SHORT, '--debug')
    assert read_option_file(file)['val'] is None
    assert (tmp_path / 'experiments/debug_child/models/net_g_latest.pth').is_file()


def _run(tmp_path, child, *arguments):
    """Trains a file whose base is the tiny stage 1 HQ."""
    base = ROOT / 'options/tiny/stage1_hq.yml'
    faces = str(write_faces(tmp_path / 'faces'))
    options = {
        'base': str(base),
        'name': 'child',
        'datasets': {phase: {'dataroot_gt': faces} for phase in ('train', 'val')},
    }
    file = _write(tmp_path, child=yaml.safe_dump(options | child))
    training_run.run(['-opt', str(file), *arguments], root=tmp_path)
    return file


SHORT = {'train': {'total_iter': 1, 'gan_opt': None, 'perceptual_opt': None}, 'val': None}


def test_training_gets_the_whole_options_and_copies_them(tmp_path):
    file = _run(tmp_path, SHORT, '--force_yml', 'train:ema_decay=0.5')
    copied = tmp_path / 'experiments/child/child.yml'
    assert yaml.safe_load(copied.read_text()) | {'val': None} == read_option_file(file)
    assert 'ema_decay: 0.5' in next((tmp_path / 'experiments/child').glob('train_*.log')).read_text()
    assert (tmp_path / 'experiments/child/models/net_g_latest.pth').is_file()


def test_an_unknown_key_over_a_base_is_an_error_that_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match="unknown option 'totl_iter'; did you mean 'total_iter'"):
        _run(tmp_path, {'train': {'totl_iter': 1}})
    assert not (tmp_path / 'experiments').exists()


def test_testing_resolves_a_base_too(tmp_path):
    options = read_option_file(ROOT / 'options/tiny/stage1_hq.yml')
    faces = str(write_faces(tmp_path / 'faces'))
    test_options = {key: options[key] for key in ('name', 'model_type', 'num_gpu', 'manual_seed', 'network_g')}
    test_options['datasets'] = {'test': {**options['datasets']['val'], 'dataroot_gt': faces}}
    test_options |= {'path': {}, 'val': options['val'] | {'suffix': None}}
    _write(tmp_path, parent=yaml.safe_dump(test_options))
    file = _write(tmp_path, child='base: parent.yml\nname: child\nval: {save_img: true}\n')
    training_run.run(['-opt', str(file)], is_train=False, root=tmp_path)
    written = {path.name for path in (tmp_path / 'results/child/visualization/val').iterdir()}
    assert written == {f'{name}_{index}_child.png' for name in ('astronaut', 'hopper') for index in (0, 1)}
