"""What leaves the clone: the wheel holds all that the package needs, and works alone; the sdist holds the clone."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from daefr_arch.io.image_file import write_image
from tests.faces.photos import astronaut

ROOT = Path(__file__).parents[1]
BUILD = 'from setuptools.build_meta import *; build_wheel("dist"); build_sdist("dist")'


def _files(folder: str) -> set[str]:
    paths = (path.relative_to(ROOT) for path in (ROOT / folder).rglob('*') if path.is_file())
    return {path.as_posix() for path in paths if '__pycache__' not in path.parts}


@pytest.fixture(scope='module')
def distributions(tmp_path_factory) -> Path:
    """A folder with the wheel and the sdist, built from links to the clone, so that nothing is written there."""
    folder = tmp_path_factory.mktemp('clone')
    ours = {'build', 'dist'}
    for path in ROOT.iterdir():
        if not path.name.startswith('.') and path.name not in ours and path.suffix != '.egg-info':
            (folder / path.name).symlink_to(path)
    built = subprocess.run([sys.executable, '-c', BUILD], cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / 'dist'


@pytest.fixture(scope='module')
def wheel(distributions) -> Path:
    (path,) = distributions.glob('*.whl')
    return path


def test_the_wheel_holds_the_package_and_its_weights(wheel):
    expected = _files('daefr_arch') | {f'daefr_arch/{name}' for name in _files('weights')} | {'daefr_cli.py'}
    names = {name for name in zipfile.ZipFile(wheel).namelist() if '.dist-info/' not in name}
    assert names == expected


def test_the_sdist_holds_what_tests_and_trainings_need(distributions):
    (path,) = distributions.glob('*.tar.gz')
    with tarfile.open(path) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    folders = ('daefr_arch', 'docs', 'inference', 'options', 'tests', 'weights')
    expected = set().union(*map(_files, folders)) | {'Makefile', 'constraints.txt', 'pyproject.toml', 'setup.py'}
    expected |= {'README.md', 'CHANGELOG.md', 'CITATION.cff', 'CONTRIBUTING.md', 'LICENSE', 'mkdocs.yml'}
    assert expected - names == set()


def test_the_wheel_works_outside_the_clone(wheel, tmp_path):
    site, environment = tmp_path / 'site', os.environ | {'PYTHONPATH': str(tmp_path / 'site')}
    install = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index', '--target', site, wheel]
    subprocess.run(install, check=True, cwd=tmp_path)
    write_image(tmp_path / 'face.png', astronaut()[60:188, 160:288].copy())
    where = 'import daefr_arch; print(daefr_arch.__file__)'
    arguments = ['restore', '-i', 'face.png', '-o', 'results', '--has_aligned', '--offline', '--device', 'cpu']
    for command in ([sys.executable, '-c', where], [site / 'bin' / 'daefr', *arguments]):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if command[-1] == where:
            assert Path(done.stdout.strip()) == site / 'daefr_arch' / '__init__.py'
    assert (tmp_path / 'results/restored_faces/face.png').is_file()
