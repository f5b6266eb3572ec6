"""CUDA graphs: a whole forward pass as one launch, where hundreds of small ones would keep the GPU waiting."""

import logging
from collections.abc import Callable, Hashable
from typing import NamedTuple

import torch
from torch import Tensor

Forward = Callable[[Tensor, float | None], Tensor]

_logger = logging.getLogger(__name__)

MOST_GRAPHS = 8  # each keeps its output, and together they share the memory of the largest


class _Graph(NamedTuple):
    graph: torch.cuda.CUDAGraph
    x: Tensor
    output: Tensor


class GraphedForward:
    """`forward(x, s_lq) -> output` on CUDA: a shape of x is computed once, captured when it comes again, then replayed.

    The output is a tensor of its own. When there are MOST_GRAPHS the oldest is forgotten. Where a pass cannot be
    captured, one warning says why, and every pass is computed.
    """

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self._seen: set[Hashable] = set()
        self._graphs: dict[Hashable, _Graph] = {}
        self._works = True

    def __call__(self, x: Tensor, s_lq: float | None) -> Tensor:
        key = (x.shape, s_lq)
        if key not in self._seen or not self._works:
            self._seen.add(key)
            return self.forward(x, s_lq)
        if key not in self._graphs:
            if len(self._graphs) == MOST_GRAPHS:
                del self._graphs[next(iter(self._graphs))]
            try:
                self._graphs[key] = self._capture(x, s_lq)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                _logger.warning('no CUDA graphs, the network is launched piece by piece: %s', error)
                self._works = False
                return self.forward(x, s_lq)
        graph = self._graphs[key]
        graph.x.copy_(x)
        graph.graph.replay()
        return graph.output.clone()

    def _capture(self, x: Tensor, s_lq: float | None) -> _Graph:
        with torch.cuda.device(x.device):
            x = x.clone()
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self.forward(x, s_lq)  # libraries choose their algorithms and allocate here, not in the capture
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # graphs are replayed one at a time and read at once: they can share their memory
            pool = next((other.graph.pool() for other in self._graphs.values()), None)
            # thread_local: other threads detect and paste on the same GPU meanwhile
            with torch.cuda.graph(graph, pool=pool, capture_error_mode='thread_local'):
                output = self.forward(x, s_lq)
        return _Graph(graph, x, output)
