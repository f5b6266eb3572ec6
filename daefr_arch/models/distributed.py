"""What the processes of a distributed run tell each other. Without one, every function returns what it was given."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.nn import functional as differentiable

T = TypeVar('T')


def world_size() -> int:
    """Number of processes of the run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """The sum of a tensor over the processes, on each of them; no gradient."""
    if world_size() == 1:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total


def mean_over_ranks(tensor: Tensor) -> Tensor:
    """The mean of a tensor over the processes, on each of them; no gradient."""
    return sum_over_ranks(tensor) / world_size()


def gather_objects(value: T) -> list[T]:
    """The values of all processes, by rank, on each of them."""
    if world_size() == 1:
        return [value]
    values: list[T | None] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values  # type: ignore[return-value]


def broadcast_from_first(module: nn.Module) -> None:
    """Gives the parameters and buffers of a module the values that they have in the first process."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)


def synchronise_batch_norm(net: nn.Module, device: torch.device) -> nn.Module:
    """BatchNorm takes its statistics over the batches of all processes, as one process with the whole batch does."""
    if world_size() == 1:
        return net
    if device.type == 'cuda':
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for name, module in net.named_modules():
        if type(module) is nn.BatchNorm2d:
            net.get_submodule(name.rpartition('.')[0]).add_module(name.rpartition('.')[2], _GlooBatchNorm.of(module))
    return net


class _GlooBatchNorm(nn.BatchNorm2d):
    """torch.nn.SyncBatchNorm refuses CPU tensors. The same statistics, through all_reduce, for batches of one size."""

    @classmethod
    def of(cls, module: nn.BatchNorm2d) -> '_GlooBatchNorm':
        """The replacement of a BatchNorm2d, with its weights and statistics."""
        synced = cls(module.num_features, module.eps, module.momentum)
        synced.load_state_dict(module.state_dict())
        return synced

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        moments = torch.stack((x.mean((0, 2, 3)), x.square().mean((0, 2, 3)))).float()
        mean, square = differentiable.all_reduce(moments) / world_size()
        variance = square - mean.square()
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        with torch.no_grad():
            count = x.numel() / x.shape[1] * world_size()
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]
