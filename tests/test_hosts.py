"""The package in the processes of others: without TensorBoard, without a home, imported again, sent to workers."""

import logging
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from daefr_arch import DAEFRRestorer, checkpoints, kernels
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.errors import WeightsError
from daefr_arch.io.image_file import write_image
from daefr_arch.metrics.face_embedding import OnnxEmbedder
from tests.faces.photos import FakeNetwork, astronaut
from tests.golden_parameters import TINY_DAEFR

HOMELESS = """
    import os, pwd
    def no_entry(*_):
        raise KeyError('no entry')
    pwd.getpwuid = pwd.getpwnam = no_entry
    for name in ('HOME', 'DAEFR_HOME', 'XDG_CACHE_HOME', 'USER', 'LOGNAME'):
        os.environ.pop(name, None)
"""


def _run(*codes: str, cwd: Path) -> subprocess.CompletedProcess:
    """The pieces of code as one program, in a process of its own that has the same search path."""
    code = '\n'.join(map(textwrap.dedent, codes))
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(sys.path), 'CUDA_VISIBLE_DEVICES': ''}
    return subprocess.run([sys.executable, '-c', code], cwd=cwd, env=environment, capture_output=True, text=True)


RESTORE = """
    from daefr_arch.commands.cli import main
    arguments = ['-i', 'face.png', '--has_aligned', '-o', 'results', '--offline', '--device', 'cpu']
    assert main(['restore', *arguments]) == 0
"""


@pytest.fixture
def folder(tmp_path):
    """With a face to restore."""
    write_image(tmp_path / 'face.png', np.ascontiguousarray(astronaut()[60:188, 160:288]))
    return tmp_path


def test_photos_are_restored_without_tensorboard(folder):
    refuse = """
        import sys
        class Refusal:
            def find_spec(self, name, *_):
                if name.partition('.')[0] in ('tensorboard', 'tensorboardX'):
                    raise ModuleNotFoundError(f'No module named {name!r}', name=name)
        sys.meta_path.insert(0, Refusal())
    """
    done = _run(refuse, RESTORE, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / 'results/restored_faces/face.png').is_file()
    assert 'ModuleNotFoundError' in _run(refuse, 'import torch.utils.tensorboard', cwd=folder).stderr


def test_without_a_home_photos_are_restored_and_downloads_say_what_to_do(folder):
    done = _run(HOMELESS, RESTORE, "assert main(['download', 'vgg16']) == 1", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / 'results/restored_faces/face.png').is_file()
    message = 'this user has no home directory to keep weights in: set DAEFR_HOME to a folder'
    assert done.stderr.splitlines()[-1] == f'daefr download: error: {message}'
    assert 'Could not determine home' in _run(HOMELESS, 'import pathlib; pathlib.Path.home()', cwd=folder).stderr


@pytest.mark.parametrize('home', ['file', 'none'])
def test_compiled_kernels_are_kept_where_there_is_a_place(tmp_path, monkeypatch, caplog, home):
    for variable in ('TRITON_CACHE_DIR', 'TORCHINDUCTOR_CACHE_DIR'):
        monkeypatch.setenv(variable, '')  # so that they are taken away again
        monkeypatch.delenv(variable)
    (tmp_path / 'file').touch()
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    monkeypatch.setattr('tempfile.tempdir', None)
    if home == 'file':
        monkeypatch.setenv('DAEFR_HOME', str(tmp_path / 'file' / 'home'))
    else:
        monkeypatch.setattr(kernels, 'cache_folder', _no_home)
    with caplog.at_level(logging.INFO):
        kernels.keep_compiled_kernels()
    folder = Path(os.environ['TRITON_CACHE_DIR']).parent
    assert folder.parent == tmp_path
    assert os.environ['TORCHINDUCTOR_CACHE_DIR'] == str(folder / 'inductor')
    kernels.keep_compiled_kernels()
    assert [record.message for record in caplog.records] == [
        f'compiled kernels are kept in {folder}: set DAEFR_HOME to a folder where they are found again'
    ]


def _no_home():
    raise WeightsError('no home')


def test_imported_again_after_its_modules_were_dropped(tmp_path):
    code = """
        import sys
        import daefr_arch
        from basicsr.utils.registry import ARCH_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY
        names = [list(registry.keys()) for registry in (ARCH_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY)]
        first = ARCH_REGISTRY.get('DAEFR')
        for name in [name for name in sys.modules if name.partition('.')[0] == 'daefr_arch']:
            del sys.modules[name]
        import daefr_arch
        from daefr_arch.archs.daefr_arch import DAEFR
        assert ARCH_REGISTRY.get('DAEFR') is DAEFR is not first
        for before, registry in zip(names, (ARCH_REGISTRY, METRIC_REGISTRY, MODEL_REGISTRY)):
            assert sorted(before) == sorted(registry.keys()), registry._name
        daefr_arch.register()
        assert ARCH_REGISTRY.get('DAEFR') is DAEFR
    """
    done = _run(code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


class Restored(Dataset):
    """Photos that are restored where they are read, as in a pipeline that prepares data."""

    def __init__(self, restorer: DAEFRRestorer, photos: list[np.ndarray]) -> None:
        self.restorer, self.photos = restorer, photos

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.restorer.enhance(self.photos[index])[2]


def test_a_restorer_works_in_spawned_workers():
    restorer = DAEFRRestorer(upscale=1, device='cpu', offline=True)
    photo = cv2.resize(astronaut()[:256, 96:352], (128, 128))
    photo = cv2.resize(cv2.GaussianBlur(photo, (0, 0), 2), (256, 256))
    expected = restorer.enhance(photo)[2]
    assert (expected != photo).any()
    loader = DataLoader(Restored(restorer, [photo]), batch_size=None, num_workers=1, multiprocessing_context='spawn')
    (restored,) = loader
    np.testing.assert_allclose(restored.numpy().astype(int), expected.astype(int), atol=1)


@pytest.mark.parametrize('precision', ['fp32', 'bf16'])
def test_a_pickled_network_computes_the_same(precision):
    restorer = DAEFRRestorer(DAEFR(**TINY_DAEFR), device='cpu', offline=True, precision=precision)
    again = pickle.loads(pickle.dumps(restorer))
    face = np.ascontiguousarray(astronaut()[80:112, 200:232])
    (one,), (other,) = (of.enhance(face, has_aligned=True, weight=0)[1] for of in (restorer, again))
    np.testing.assert_array_equal(one, other)


def test_a_pickled_restorer_keeps_a_network_of_the_users():
    restorer = DAEFRRestorer(FakeNetwork(brightness=0.5), device='cpu', offline=True)
    face = np.ascontiguousarray(astronaut()[40:200, 145:305])
    one, other = (
        r.enhance(face, has_aligned=True, weight=0)[1][0] for r in (restorer, pickle.loads(pickle.dumps(restorer)))
    )
    np.testing.assert_array_equal(one, other)
    assert one.mean() > face.mean() + 20


def test_a_pickled_embedder_reads_its_file_again(tmp_path):
    shape = [1, 3, 112, 112]
    pool = onnx.helper.make_node('GlobalAveragePool', ['x'], ['mean'])
    flat = onnx.helper.make_node('Flatten', ['mean'], ['y'])
    graph = onnx.helper.make_graph(
        [pool, flat],
        'mean',
        [onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1, 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 17)], ir_version=8)
    onnx.save(model, str(tmp_path / 'mean.onnx'))
    embedder = OnnxEmbedder(tmp_path / 'mean.onnx')
    again = pickle.loads(pickle.dumps(embedder))
    assert (again.protocol, again.path) == (embedder.protocol, embedder.path)
    face = torch.arange(128 * 128 * 3).remainder(251).reshape(128, 128, 3).to(torch.uint8).numpy()
    np.testing.assert_array_equal(again.embed(face), embedder.embed(face))


def test_weights_at_hand_are_found_without_a_home(monkeypatch):
    monkeypatch.setattr('daefr_arch.downloads.weight_file.cache_folder', _no_home)
    assert checkpoints.find(checkpoints.DEFAULT_MODEL).is_file()
    assert checkpoints.find('vgg16') is None
