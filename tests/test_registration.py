"""Modules of a user: found in the working directory, imported with what is in them, refused in one line."""

import sys

import pytest
import yaml
from basicsr.train import train_pipeline
from basicsr.utils.registry import LOSS_REGISTRY

from daefr_arch import compat
from daefr_arch.errors import InputError
from daefr_arch.registration import import_projects
from tests.models.stages import read_options, write_faces

LOSS = """
from basicsr.utils.registry import LOSS_REGISTRY
from torch import nn

@LOSS_REGISTRY.register()
class {}(nn.L1Loss):
    def __init__(self, loss_weight=1.0, **kwargs):
        super().__init__(**kwargs)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The working directory, with what its tests import and register forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [path for path in sys.path if path])
    monkeypatch.setattr(LOSS_REGISTRY, '_obj_map', dict(LOSS_REGISTRY._obj_map))
    modules = dict(sys.modules)
    yield tmp_path
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]


def test_a_package_brings_what_is_named_as_basicsr_names_it(place):
    for file, content in {
        'my_project/__init__.py': '',
        'my_project/losses/__init__.py': '',
        'my_project/losses/my_own_loss.py': LOSS.format('MyPackagedLoss'),
        'my_project/script.py': 'raise RuntimeError',
    }.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(content)
    import_projects(['my_project'])
    import_projects(['my_project'])
    assert 'MyPackagedLoss' in LOSS_REGISTRY


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('no_such_module', "import: no_such_module cannot be imported: No module named 'no_such_module'"),
        ('needs_more', "import: needs_more cannot be imported: No module named 'not_there'"),
        ('taken', 'import: taken cannot be imported: .*L1Loss.* already registered'),
        ('./taken.py', "import: expected the name of a module, as my_project or my_project.losses, got './taken.py'"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(place, name, message):
    (place / 'needs_more.py').write_text('import not_there')
    (place / 'taken.py').write_text(LOSS.format('L1Loss'))
    with pytest.raises(InputError, match=message):
        import_projects([name])


def test_the_command_line_adds_to_what_the_file_imports(place):
    (place / 'named_in_the_file.py').write_text(LOSS.format('MyFilesLoss'))
    (place / 'named_in_the_command.py').write_text(LOSS.format('MyCommandsLoss'))
    options = read_options('tiny/stage1_hq') | {'import': 'named_in_the_file'}
    for dataset in options['datasets'].values():
        dataset['dataroot_gt'] = str(write_faces(place / 'faces'))
    options['train']['pixel_opt'] = {'type': 'MyFilesLoss', 'reduction': 'mean'}
    options['train']['perceptual_opt'] = {'type': 'MyCommandsLoss'}
    file = place / 'run.yml'
    file.write_text(yaml.safe_dump(options))
    with compat.command_line(['-opt', str(file), '--import', 'named_in_the_command', '--force_yml', 'name=forced']):
        opt, args = train_pipeline.__globals__['parse_options'](str(place), is_train=True)
    assert opt['import'] == ['named_in_the_file', 'named_in_the_command']
    assert (opt['name'], args.opt) == ('forced', str(file))


@pytest.mark.parametrize('value', [3, [3], {'a': 1}])
def test_the_option_names_modules(place, value):
    options = read_options('tiny/stage1_hq') | {'import': value}
    (place / 'run.yml').write_text(yaml.safe_dump(options))
    with compat.command_line(['-opt', 'run.yml']), pytest.raises(InputError, match='import: expected the name of'):
        train_pipeline.__globals__['parse_options'](str(place), is_train=True)
