"""A training step of each stage, full size, beside what the official loop was measured at.

The official code is not part of this project: its numbers are of one H100 (PyTorch 2.11, TF32 convolutions, batches of
4, all optimisers as its loop runs them), so the ratio is one of machines too where the card is another.
"""

import itertools
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from basicsr.archs import build_network
from basicsr.models import build_model

from daefr_arch.archs.codebook_arch import autoencoder_options
from tests.benchmarks.row import Row, alternate

OPTIONS = Path(__file__).parents[2] / 'options'
BATCH = 4
# stage -> seconds and peak GiB of the official loop's step, and the speed-up that is aimed at
OFFICIAL = {
    'stage1_hq': (0.268, 26.5, 3),
    'stage2_association': (0.759, 27.2, 6),
    'stage3_restoration': (0.184, 31.1, 3),
}
FAST = {'amp': 'bf16', 'channels_last': True, 'compile': True}
REPETITIONS = 5


def training_rows() -> list[Row]:
    """Seconds and peak memory a step, on a GPU."""
    rows = []
    for stage, (seconds, gib, target) in OFFICIAL.items():
        name = f'training step, {stage}, batch {BATCH}, bf16'
        if not torch.cuda.is_available():
            rows.append(Row(name, at_least=target, note='needs a GPU'))
            continue
        options = yaml.safe_load((OPTIONS / 'train' / f'{stage}.yml').read_text())
        options['train'] |= FAST
        times, peak = measure(options, batch=BATCH, repetitions=REPETITIONS)
        rows.append(Row(name, times, [seconds] * len(times), at_least=target))
        rows.append(Row(f'{name}, peak', [peak], [gib], at_most=0.5, relative=True, unit='GiB'))
        torch.cuda.empty_cache()
    return rows


def measure(options: dict[str, Any], *, batch: int, repetitions: int) -> tuple[list[float], float]:
    """Seconds of each step of a stage with random weights and images, all its losses active, and the peak in GiB.

    options: of an option file of options/. The device is the GPU if there is one.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = build_model(_from_random_weights(options, Path(folder)))
    side = next(value['resolution'] for key, value in options.items() if key.startswith('network_'))
    images = {key: torch.rand(batch, 3, side, side) * 2 - 1 for key in ('lq', 'gt')}
    iterations = itertools.count(100_000)  # past the start of the adversarial losses

    def step() -> None:
        model.feed_data(images)
        model.optimize_parameters(next(iterations))
        if model.device.type == 'cuda':
            torch.cuda.synchronize()

    if model.device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    (seconds,) = alternate([step], repetitions)
    return seconds, model.get_current_log()['peak_memory_gib']


def _from_random_weights(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The options as BasicSR's parser leaves them; where a stage must load an autoencoder, a random one."""
    paths = dict.fromkeys(options['path'])
    if 'network_g' in options and options['network_g']['type'] == 'DAEFR':
        weights = folder / 'autoencoder.pth'
        torch.save({'params': build_network(autoencoder_options(options['network_g'])).state_dict()}, weights)
        paths |= {f'pretrain_network_{label}': str(weights) for label in ('codebook', 'hq', 'lq')}
    process = {'is_train': True, 'dist': False, 'rank': 0, 'world_size': 1, 'num_gpu': int(torch.cuda.is_available())}
    return options | {'path': paths} | process
