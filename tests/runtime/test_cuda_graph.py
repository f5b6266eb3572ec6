"""GraphedForward around a stand-in for CUDA's graphs, which records the calls of a capture and repeats them."""

from contextlib import contextmanager, nullcontext

import pytest
import torch

from daefr_arch.runtime import cuda_graph
from daefr_arch.runtime.cuda_graph import MOST_GRAPHS, GraphedForward


class FakeGraph:
    """Repeats what ran while it was being captured; as on the GPU, results are written to the same tensor."""

    def __init__(self) -> None:
        self.captured = None

    def pool(self) -> str:
        return 'pool'

    def replay(self) -> None:
        x, s_lq, output = self.captured
        output.copy_(_double(x, s_lq))


def _double(x: torch.Tensor, s_lq: float | None) -> torch.Tensor:
    return 2 * x + (s_lq or 0)


class _Stream:
    def wait_stream(self, other: object) -> None:
        assert isinstance(other, _Stream)


class Recorder:
    """The function to capture, and what ran: 'forward', and 'capture' with the pool that it was given."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.capturing: FakeGraph | None = None
        self.failure: RuntimeError | None = None

    @contextmanager
    def graph(self, captured: FakeGraph, pool: object, capture_error_mode: str):
        if self.failure is not None:
            raise self.failure
        assert capture_error_mode == 'thread_local'  # detection goes on in another thread
        self.log.append(f'capture in {pool}')
        self.capturing = captured
        yield
        self.capturing = None

    def forward(self, x: torch.Tensor, s_lq: float | None) -> torch.Tensor:
        self.log.append('forward')
        output = _double(x, s_lq)
        if self.capturing is not None:
            self.capturing.captured = (x, s_lq, output)
        return output


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    for name, fake in {
        'device': lambda device: nullcontext(),
        'Stream': _Stream,
        'current_stream': _Stream,
        'stream': lambda stream: nullcontext(),
        'CUDAGraph': FakeGraph,
        'graph': recorder.graph,
    }.items():
        monkeypatch.setattr(cuda_graph.torch.cuda, name, fake)
    return recorder


def test_a_shape_is_captured_when_it_comes_again_and_then_replayed(recorder: Recorder) -> None:
    forward = GraphedForward(recorder.forward)
    results = [forward(torch.full((2, 3), float(value)), None) for value in range(4)]
    assert recorder.log == ['forward', 'forward', 'capture in None', 'forward']
    assert [result[0, 0].item() for result in results] == [0, 2, 4, 6]  # none overwritten by a later replay


def test_each_shape_and_strength_has_its_graph_in_one_pool(recorder: Recorder) -> None:
    forward = GraphedForward(recorder.forward)
    for _ in range(2):
        for rows, s_lq in ((1, None), (2, None), (2, 0.5)):
            assert torch.equal(forward(torch.ones(rows, 3), s_lq), torch.full((rows, 3), 2 + (s_lq or 0)))
    assert [entry for entry in recorder.log if 'capture' in entry] == ['capture in None', *['capture in pool'] * 2]


def test_the_oldest_graph_is_forgotten(recorder: Recorder) -> None:
    forward = GraphedForward(recorder.forward)
    for rows in range(1, MOST_GRAPHS + 2):
        forward(torch.ones(rows, 1), None)
        forward(torch.ones(rows, 1), None)
    assert len(forward._graphs) == MOST_GRAPHS
    assert torch.equal(forward(torch.ones(1, 1), None), torch.full((1, 1), 2.0))


def test_without_graphs_every_pass_is_computed(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    recorder.failure = RuntimeError('operation not permitted when stream is capturing')
    forward = GraphedForward(recorder.forward)
    results = [forward(torch.full((2, 3), float(value)), None) for value in range(4)]
    assert [result[0, 0].item() for result in results] == [0, 2, 4, 6]
    assert [record.getMessage().split(': ')[1] for record in caplog.records] == [str(recorder.failure)]


def test_a_capture_out_of_memory_is_the_callers_to_handle(recorder: Recorder) -> None:
    recorder.failure = torch.OutOfMemoryError('no memory')
    forward = GraphedForward(recorder.forward)
    forward(torch.ones(1), None)
    with pytest.raises(torch.OutOfMemoryError):
        forward(torch.ones(1), None)
    recorder.failure = None  # of a smaller batch, say
    assert torch.equal(forward(torch.ones(1), None), torch.full((1,), 2.0))
    assert forward._graphs
