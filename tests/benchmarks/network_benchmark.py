"""The network beside the reference written plainly from the paper."""

from collections.abc import Callable, Iterable

import torch

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.checkpoints import load_network
from daefr_arch.runtime.face_network import FaceNetwork
from daefr_arch.runtime.precision import stage_precisions
from daefr_arch.runtime.staged_network import StagedNetwork
from tests.benchmarks.live_tensors import peak_gib
from tests.benchmarks.reference_network import ReferenceNetwork
from tests.benchmarks.row import Row, alternate
from tests.faces.photos import astronaut

REPETITIONS = 3


def network_rows() -> list[Row]:
    """The full-size network (random weights), the default model, and the rows that need a GPU."""
    torch.manual_seed(0)
    network = DAEFR().eval()
    reference = ReferenceNetwork(network)
    faces = torch.rand(1, 3, 512, 512) * 2 - 1
    ours = {
        precision: FaceNetwork(network, device='cpu', precision=precision) for precision in ('fp32', 'bf16', 'auto')
    }
    chosen = ours['auto'].precisions
    if chosen == ours['fp32'].precisions:
        del ours['auto']  # the same again
    functions = [_forward(face_network, faces) for face_network in ours.values()]
    baseline, *seconds = alternate([lambda: reference(faces), *functions], REPETITIONS)
    targets = {'fp32': 1.7, 'bf16': 3.0, 'auto': None}
    return [
        *(
            Row(f'network, CPU, {precision}', times, baseline, at_least=targets[precision])
            for precision, times in zip(ours, seconds, strict=True)
        ),
        Row('network, CPU, auto is', note='/'.join(chosen)),
        *_default_model_rows(),
        counted_memory_row(),
        *_gpu_rows(network),
    ]


def _forward(face_network: FaceNetwork, faces: torch.Tensor) -> Callable[[], object]:
    x = faces.to(face_network.device).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run() -> None:
        face_network._forward(x, None)

    return run


def _default_model_rows() -> list[Row]:
    network = load_network(offline=True)
    auto, reference = FaceNetwork(network, device='cpu'), ReferenceNetwork(network)
    face = astronaut()[0:256, 100:356]
    x = torch.from_numpy(face[..., ::-1].copy()).permute(2, 0, 1)[None] / 127.5 - 1
    rows = []
    for count in (1, 4, 8):
        seconds, baseline = alternate(
            [lambda n=count: auto.restore([face] * n), lambda n=count: reference(x.expand(n, -1, -1, -1))], REPETITIONS
        )
        per_face, baseline = [s / count for s in seconds], [s / count for s in baseline]
        rows.append(Row(f'default model a face, CPU, batches of {count}', per_face, baseline, at_most=0.5))
    return rows


def counted_memory_row() -> Row:
    """Weights and live tensors of a batch of 32 as `auto` computes it on CUDA, counted without a GPU."""
    with torch.device('meta'):
        network = DAEFR().eval().requires_grad_(False).to(memory_format=torch.channels_last)
        faces = torch.rand(32, 3, 512, 512).contiguous(memory_format=torch.channels_last)
    ours = StagedNetwork(network, stage_precisions('auto', torch.device('cuda')))
    reference = ReferenceNetwork(network)
    with torch.inference_mode():
        peak = peak_gib(lambda: ours(faces, None)) + _gib({*network.parameters(), *ours.network.parameters()})
        baseline = peak_gib(lambda: reference(faces)) + _gib(reference.weights.values())
    name = 'network, batch 32, auto as on CUDA: weights and live tensors, counted on the meta device'
    return Row(name, [peak], [baseline], at_most=0.25, relative=True, unit='GiB')


def _gib(tensors: Iterable[torch.Tensor]) -> float:
    return sum(tensor.nbytes for tensor in tensors) / 2**30


def _gpu_rows(network: DAEFR) -> list[Row]:
    """Seconds and peak memory a batch; `auto` on CUDA graphs and Triton kernels, and by torch.compile."""
    rows = []
    for batch, target in ((1, 8), (8, None), (32, 5)):
        name = f'network, GPU, batch {batch}'
        if not torch.cuda.is_available():
            rows.append(Row(name, at_least=target, note='needs a GPU'))
            continue
        faces = torch.rand(batch, 3, 512, 512, device='cuda') * 2 - 1
        ours = {
            'auto': FaceNetwork(network, device='cuda'),
            'auto, compile': FaceNetwork(network, device='cuda', compile=True),
        }
        reference = ReferenceNetwork(network)
        functions = [lambda: reference(faces), *(_forward(face_network, faces) for face_network in ours.values())]  # noqa: B023  called before the next round
        peaks = [_peak_gib(function) for function in functions]
        baseline, *seconds = alternate([_synchronised(function) for function in functions], 10)
        for precision, times, peak in zip(ours, seconds, peaks[1:], strict=True):
            rows.append(Row(f'{name}, {precision}', times, baseline, at_least=target))
            share = 0.25 if batch == 32 else None
            memory = Row(f'{name}, {precision}, peak', [peak], peaks[:1], at_most=share, relative=True, unit='GiB')
            rows.append(memory)
    return rows


def _peak_gib(function: Callable[[], object]) -> float:
    """Of the second call and of what is held anyway: the first chooses algorithms, the second makes graphs."""
    function()
    torch.cuda.reset_peak_memory_stats()
    function()
    return torch.cuda.max_memory_allocated() / 2**30


def _synchronised(function: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        function()
        torch.cuda.synchronize()

    return run
