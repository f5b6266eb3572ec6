"""The tiny stages on a handful of real faces, without BasicSR's loop: option file -> model -> steps."""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from basicsr.data import build_dataset
from basicsr.models import build_model
from skimage.data import astronaut
from torch.utils.data import DataLoader, default_collate

from daefr_arch.data.draw_sampler import Draw
from daefr_arch.options.option_file import read_option_file

ROOT = Path(__file__).parents[2]
STAGES = ('stage1_hq', 'stage1_lq', 'stage2_association', 'stage3_restoration', 'control')


def write_faces(folder: Path, size: int = 32) -> Path:
    """Four crops of the two sample photos, (size, size) PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    hopper = cv2.imread(f'{matplotlib.get_data_path()}/sample_data/grace_hopper.jpg')
    photos = {'astronaut': (astronaut()[..., ::-1], (0, 120, 220)), 'hopper': (hopper, (40, 150, 256))}
    for name, (photo, (top, left, side)) in photos.items():
        for index, margin in enumerate((0, side // 8)):
            crop = photo[top + margin : top + side - margin, left + margin : left + side - margin]
            face = cv2.resize(np.ascontiguousarray(crop), (size, size), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / f'{name}_{index}.png'), face)
    return folder


def read_options(name: str) -> dict:
    """An option file of options/ with what its base gives, by its path there without suffix."""
    return read_option_file(ROOT / 'options' / f'{name}.yml')


def tiny_options(stage: str, work: Path) -> dict:
    """options/tiny/<stage>.yml as BasicSR parses it, for one CPU process, with every path under `work`."""
    return one_process(read_options(f'tiny/{stage}'), work)


def one_process(options: dict, work: Path) -> dict:
    """Options of a file as BasicSR parses them, for one CPU process, with every path under `work`."""
    for phase, dataset in options['datasets'].items():
        dataset |= {'phase': phase, 'dataroot_gt': str(work / 'faces')}
    experiment = work / 'experiments' / options['name']
    paths = {key: str(work / path) if path else None for key, path in options['path'].items() if key != 'strict_load_g'}
    paths |= {name: str(experiment / name) for name in ('models', 'training_states', 'visualization')}
    for name in ('models', 'training_states'):
        Path(paths[name]).mkdir(parents=True, exist_ok=True)
    return options | {
        'path': paths,
        'is_train': True,
        'dist': False,
        'rank': 0,
        'world_size': 1,
        'num_gpu': 0,
    }


def batches(options: dict, count: int):
    """The first batches of the training set, every epoch with its own degradations."""
    dataset = build_dataset(options['datasets']['train'])
    for epoch in range(count):
        draws = [Draw(index, epoch, index) for index in range(len(dataset))]
        yield default_collate([dataset[draw] for draw in draws])


def train(options: dict, steps: int | None = None):
    """Trains for `steps` (train.total_iter, if None) and saves; returns the model and the log of every step."""
    model = build_model(options)
    logs = []
    for iteration, batch in enumerate(batches(options, steps or options['train']['total_iter']), start=1):
        model.update_learning_rate(iteration)
        model.feed_data(batch)
        model.optimize_parameters(iteration)
        logs.append(model.get_current_log())
    model.save(0, -1)
    return model, logs


def validation_batch(options: dict) -> dict:
    """All images of the validation set, degraded the same way every time."""
    return next(iter(DataLoader(build_dataset(options['datasets']['val']), batch_size=16)))
