"""The Python and the option files of the documentation run: what a reader copies is what is tested."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from basicsr.archs import build_network
from skimage.data import astronaut

from daefr_arch import compat
from daefr_arch.options.option_file import read_option_file
from daefr_arch.options.run_options import check_run_options
from daefr_arch.registration import import_projects
from tests.docs.pages import DOCS, PAGES, ROOT, Block, blocks, name
from tests.models.stages import write_faces
from tests.video.films import write_film

WITH_PYTHON = [page for page in PAGES if any(block.file is None for block in blocks(page, 'python'))]
WITH_OPTIONS = [page for page in PAGES if blocks(page, 'yaml')]
HOWTO = DOCS / 'howto/own-network-or-loss.md'


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with photos, the option files, and the modules that a page writes on the path."""
    (tmp_path / 'photos').mkdir()
    for file in ('photo.jpg', 'photos/astronaut.png'):
        cv2.imwrite(str(tmp_path / file), np.ascontiguousarray(astronaut()[..., ::-1]))
    write_film(tmp_path / 'film.mp4', 3, faces=False)
    _write_onnx(tmp_path / 'model.onnx')
    (tmp_path / 'options').mkdir()
    for folder in (path for path in (ROOT / 'options').iterdir() if path.is_dir()):
        (tmp_path / 'options' / folder.name).symlink_to(folder)
    (tmp_path / 'weights').symlink_to(ROOT / 'weights')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def _write_onnx(path: Path) -> None:
    """An exported DAEFR by its names and shapes, which computes nothing: the export itself has its own tests."""
    shape = ['batch', 3, 256, 256]
    nodes = [
        onnx.helper.make_node('Identity', ['image'], ['restored']),
        onnx.helper.make_node('Cast', ['weight'], ['code_index'], to=onnx.TensorProto.INT64),
    ]
    inputs = [
        onnx.helper.make_tensor_value_info('image', onnx.TensorProto.FLOAT, shape),
        onnx.helper.make_tensor_value_info('weight', onnx.TensorProto.FLOAT, [1]),
    ]
    outputs = [
        onnx.helper.make_tensor_value_info('restored', onnx.TensorProto.FLOAT, shape),
        onnx.helper.make_tensor_value_info('code_index', onnx.TensorProto.INT64, [1]),
    ]
    graph = onnx.helper.make_graph(nodes, 'stand_in', inputs, outputs)
    opset = onnx.helper.make_opsetid('', 21)
    onnx.save(onnx.helper.make_model(graph, ir_version=10, opset_imports=[opset]), path)


def _write(page: Path, language: str, place: Path) -> list[Block]:
    """Writes the blocks that are files; returns them."""
    files = [block for block in blocks(page, language) if block.file]
    for block in files:
        (place / block.file).parent.mkdir(parents=True, exist_ok=True)
        (place / block.file).write_text(block.text, encoding='utf-8')
    return files


@pytest.mark.parametrize('page', WITH_PYTHON, ids=name)
def test_python_runs(page, place):
    names: dict = {'__name__': 'docs'}
    for block in blocks(page, 'python'):
        if block.file is None:
            exec(compile(block.text, str(page), 'exec'), names)
    if page == DOCS / 'howto/own-data.md':
        assert [file.name for file in (place / 'datasets/mine').iterdir()] == []  # its face is smaller than 256 px
    elif 'restored_img' in names:
        assert names['restored_img'].shape == (1024, 1024, 3)
        assert len(names['restored_faces']) == 1


def test_faces_are_cut_out_where_they_are_large_enough(place):
    large = cv2.resize(cv2.imread('photos/astronaut.png'), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite('photos/large.png', large)
    (block,) = blocks(DOCS / 'howto/own-data.md', 'python')
    exec(compile(block.text, 'own-data.md', 'exec'), {'__name__': 'docs'})
    assert [file.name for file in (place / 'datasets/mine').iterdir()] == ['large_00.png']
    assert cv2.imread('datasets/mine/large_00.png').shape == (256, 256, 3)


@pytest.mark.parametrize('page', WITH_OPTIONS, ids=name)
def test_option_files_are_understood(page, place):
    _write(page, 'python', place)
    if page == HOWTO:
        import_projects(['edge_loss', 'noisy_daefr', 'tinted_dataset'])
    files = _write(page, 'yaml', place)
    assert files
    for block in files:
        options = read_option_file(block.file)
        check_run_options(options, is_train=True)
        if 'network_g' in options:
            build_network(options['network_g'])


def test_a_loss_of_ones_own_trains_by_a_program(place):
    _write(HOWTO, 'python', place)
    _write(HOWTO, 'yaml', place)
    write_faces(place / 'datasets/tiny')
    lines = (line for block in blocks(HOWTO, '') for line in block.text.splitlines())
    (program, *arguments) = next(line.split()[1:] for line in lines if line.startswith('python '))
    compat.forget_log_file()
    with compat.command_line([*arguments, '--force_yml', 'train:total_iter=2', 'logger:print_freq=1']):
        runpy.run_path(program, run_name='__main__')
    assert 'l_pix' in next((place / 'experiments/edges').glob('train_*.log')).read_text()
    assert (place / 'experiments/edges/models/net_g_latest.pth').is_file()


def test_spawned_data_workers_know_a_dataset_of_ones_own(place):
    """BasicSR spawns them under a launcher; nothing but the option `import` tells them of the dataset."""
    _write(HOWTO, 'python', place)
    _write(HOWTO, 'yaml', place)
    write_faces(place / 'datasets/tiny')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    environment = {'RANK': '0', 'LOCAL_RANK': '0', 'WORLD_SIZE': '1', 'MASTER_ADDR': '127.0.0.1'}
    main = 'from daefr_cli import main; main("train")'  # as the console command, which has no module to import again
    arguments = ['-opt', 'tinted.yml', '--launcher', 'pytorch', '--force_yml', 'val=~', 'train:perceptual_opt=~']
    result = subprocess.run(
        [sys.executable, '-c', main, *arguments, 'train:total_iter=1', 'logger:print_freq=1'],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'MASTER_PORT': str(port), **environment},
    )
    assert result.returncode == 0, result.stderr
    assert 'l_pix' in result.stdout + result.stderr
