"""What the three stages share: networks, precision, optimisers, logs, checkpoints, resumption.

A stage is a subclass, registered in MODEL_REGISTRY, that writes four methods:

    def init_networks(self) -> None:
        net = self.build('g', 'daefr')               # network_g of the options, weights of path.pretrain_network_g
        ...                                          # load_stage_network(...), freeze parts
        self.net_g = self.prepare('g', net)          # device, memory format, compile, DistributedDataParallel, EMA

    def init_training(self) -> None:                 # losses (build_loss), then
        self.optimizer_g = self.add_optimizer('g', self.net_g)      # train.optim_g

    def training_step(self, current_iter) -> dict[str, Tensor]:     # scalars to log; losses are named l_*
        with self.autocast():
            output = self.net_g(self.lq)
        loss = ...
        self.optimise(self.optimizer_g, loss)        # zero_grad, backward, clip, step
        return {'l_pix': loss}

    def restore(self) -> Tensor:                     # for validation: (B, 3, R, R), RGB in [-1, 1]
        return self.inference_net('g')(self.lq)[0]

A network that only passes gradients on, as the discriminator in the generator's step, is called through
`self.get_bare_model(net)` with its parameters frozen: DistributedDataParallel waits for gradients of what it wraps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_args

import torch
from basicsr.archs import build_network
from basicsr.models.base_model import BaseModel
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from daefr_arch.checkpoints import Checkpoint, Domain, load_stage_network, weights_hash
from daefr_arch.errors import InputError
from daefr_arch.models.distributed import broadcast_from_first, gather_objects, synchronise_batch_norm, world_size
from daefr_arch.models.loss_log import LossLog, peak_memory_gib
from daefr_arch.models.perceptual_backbone import settle_backbone
from daefr_arch.models.random_states import get_random_states
from daefr_arch.models.saving import load_networks, restore_training_state, save_networks, save_training_state
from daefr_arch.models.starting_points import Start, check_starting_points
from daefr_arch.models.validation import BestRecord, validate
from daefr_arch.options.run_file import OptionFile
from daefr_arch.options.run_options import read_run_options
from daefr_arch.runtime.precision import mixed_type

if TYPE_CHECKING:  # TensorBoard is for training, and this module is imported wherever photos are restored
    from torch.utils.tensorboard import SummaryWriter


class DAEFRBaseModel(BaseModel):
    """Base of the stages; see the module's docstring for what a stage writes.

    Args:
        opt: the options of the file, as BasicSR's parser gives them; a stage declares as its `Options` what they are.

    Attributes:
        opt: the options as BasicSR has them.
        options: the same, checked, with their defaults.
        nets: label -> trained network as `prepare` returned it; these are saved.
        emas: label -> its moving average, if there is one.
        lq, gt: the batch, (B, 3, R, R), RGB in [-1, 1], on `device`; gt is None where the dataset has none.
        paths: file names of the batch.
    """

    Options: ClassVar[type[OptionFile]] = OptionFile
    options: OptionFile
    stage: ClassVar[str] = ''
    """what its checkpoints call it; empty: the name of the class"""
    starts: ClassVar[Mapping[str, Start]] = {}
    """label -> what path.pretrain_network_<label> must be"""

    lq: Tensor
    gt: Tensor | None

    def __init__(self, opt: dict[str, Any]) -> None:
        super().__init__(opt)
        self.perceptual_backbone: str | None = None
        if self.is_train:
            kept = opt['resumption'].state.get('perceptual_backbone') if 'resumption' in opt else None
            self.perceptual_backbone = settle_backbone(opt['train'], rank=opt['rank'], kept=kept)
        self.options = cast(OptionFile, read_run_options(opt, is_train=self.is_train))
        self.amp_type = mixed_type(self.options.train.amp, self.device)
        self.nets: dict[str, nn.Module] = {}
        self.emas: dict[str, nn.Module] = {}
        self.best = BestRecord()
        self.iteration = 0
        self.started_from: dict[str, str] = {}
        self.loss_log = LossLog()
        self.paths: list[str] = []
        self._samples, self._log_time = 0, time.perf_counter()
        self.init_networks()
        if self.is_train:
            self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp_type is torch.float16)
            self.init_training()
            self.setup_schedulers()
            for net in (*self.nets.values(), *self.emas.values()):
                broadcast_from_first(net)  # each process draws its own initial values

    def init_networks(self) -> None:
        """Builds, loads and prepares the networks."""
        raise NotImplementedError

    def init_training(self) -> None:
        """Builds losses and optimisers."""
        raise NotImplementedError

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        """One step on `lq` and `gt`; returns the scalars to log, the losses among them named l_*."""
        raise NotImplementedError

    def restore(self) -> Tensor:
        """The images to validate: (B, 3, R, R), RGB in [-1, 1]."""
        raise NotImplementedError

    # Networks and optimisers

    def resuming(self, label: str) -> bool:
        """Whether the weights of network_<label> will come with a training state."""
        return self.options.path.resumes(label)

    def build(self, label: str, part: str) -> nn.Module:
        """network_<label> of the options, with the weights that path.pretrain_network_<label> names, if any.

        `part`: as in checkpoints.load_part.
        """
        net = build_network(self.opt[f'network_{label}'])
        if self.start_file(label) and not self.resuming(label):
            self.load_start(net, label, part)
        return net

    def start_file(self, label: str) -> str | None:
        """path.pretrain_network_<label>."""
        return self.opt['path'].get(f'pretrain_network_{label}')

    @classmethod
    def check_starting_points(cls, path: Mapping[str, Any]) -> None:
        """Whether the checkpoints of `path` are of the stages and domains that this model starts from.

        Raises:
            WeightsError: one says that it is not.
        """
        check_starting_points(path, cls.starts)

    def load_start(self, net: nn.Module, label: str, part: str, *, leave_out: tuple[str, ...] = ()) -> None:
        """Loads path.pretrain_network_<label>, by path.strict_load_<label> and path.param_key_<label>.

        `part`, `leave_out`: as in load_stage_network.

        Raises:
            InputError: no file is named.
        """
        file, path = self.start_file(label), self.opt['path']
        if not file:
            raise InputError(f'path.pretrain_network_{label} is missing: name the checkpoint of an earlier stage')
        strict, key = path.get(f'strict_load_{label}', True), path.get(f'param_key_{label}')
        domain = self.starts.get(label, Start()).domain
        checkpoint = load_stage_network(
            net, file, part, strict=strict, param_key=key, leave_out=leave_out, domain=domain
        )
        self._note_start(label, checkpoint)

    def _note_start(self, label: str, checkpoint: Checkpoint) -> None:
        """For the checkpoints of this run; what goes on began with what its predecessor did."""
        if label == 'g' and checkpoint.provenance:
            self.started_from = {**checkpoint.provenance.started_from, **self.started_from}
        self.started_from[label] = weights_hash(checkpoint.state_dict)

    def prepare(self, label: str, net: nn.Module, *, ema: bool = True) -> nn.Module:
        """Puts a network on the device, wraps it for training and takes it into the checkpoints as net_<label>.

        Its frozen parts must already be frozen. `ema`: whether train.ema_decay applies to it.
        """
        net = net.to(self.device)
        if self.options.train.channels_last:
            net = net.to(memory_format=torch.channels_last)
        if self.is_train and ema and self.options.train.ema_decay:
            self.emas[label] = deepcopy(net).eval().requires_grad_(False)
        if self.is_train and self.opt['dist']:
            net = synchronise_batch_norm(net, self.device)
        if self.options.train.compile:
            net.compile()
        self.print_network(net)
        if self.is_train and self.opt['dist'] and any(p.requires_grad for p in net.parameters()):
            # buffers are equal already: BatchNorm is synchronised; broadcasting would touch them between two forwards
            net = DistributedDataParallel(
                net,
                broadcast_buffers=False,
                find_unused_parameters=self.options.find_unused_parameters,
            )
        self.nets[label] = net.train(self.is_train)
        return net

    def inference_net(self, label: str) -> nn.Module:
        """The moving average of a network if there is one, else the network, without wrappers."""
        return self.emas.get(label, self.get_bare_model(self.nets[label]))

    def add_optimizer(self, label: str, *nets: nn.Module) -> Optimizer:
        """The optimiser that train.optim_<label> describes, for what is not frozen in `nets`."""
        options = dict(self.opt['train'][f'optim_{label}'])
        parameters = [p for net in nets for p in net.parameters() if p.requires_grad]
        optimizer = self.get_optimizer(options.pop('type'), parameters, **options)
        self.optimizers.append(optimizer)
        return optimizer

    # A step

    def autocast(self) -> torch.autocast:
        """The context of train.amp. Distances, softmax and losses leave it: they are float32."""
        return torch.autocast(self.device.type, dtype=self.amp_type, enabled=self.amp_type is not None)

    def feed_data(self, data: dict[str, Any]) -> None:
        """Takes a batch: `lq`, `gt` (or one of them), `lq_path`, `gt_path`."""
        layout = torch.channels_last if self.options.train.channels_last else torch.contiguous_format
        images = {
            key: data[key].to(self.device, non_blocking=True, memory_format=layout)
            for key in ('lq', 'gt')
            if key in data
        }
        self.gt = images.get('gt')
        self.lq = images.get('lq', self.gt)  # type: ignore[assignment]
        self.paths = list(data.get('lq_path') or data.get('gt_path') or ())

    def optimise(self, optimizer: Optimizer, loss: Tensor) -> None:
        """zero_grad, backward, clip and step of one optimiser."""
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.options.train.grad_clip:
            self.scaler.unscale_(optimizer)
            parameters = [p for group in optimizer.param_groups for p in group['params']]
            nn.utils.clip_grad_norm_(parameters, self.options.train.grad_clip)
        self.scaler.step(optimizer)
        self.scaler.update()

    def optimize_parameters(self, current_iter: int) -> None:
        """Called by BasicSR's loop: one step, its log, the moving averages.

        Raises:
            TrainingError: a scalar of the step before (or, before saving, of this one) is not finite.
        """
        self.iteration = current_iter
        scalars = self.training_step(current_iter)
        self.loss_log.record(current_iter, scalars, self.paths)
        self._samples += len(self.lq) * world_size()
        for label, ema in self.emas.items():
            self._update_ema(ema, self.get_bare_model(self.nets[label]))

    @torch.no_grad()
    def _update_ema(self, ema: nn.Module, net: nn.Module) -> None:
        decay = self.options.train.ema_decay or 0.0
        torch._foreach_lerp_(list(ema.parameters()), list(net.parameters()), 1 - decay)
        for average, current in zip(ema.buffers(), net.buffers(), strict=True):
            average.copy_(current)

    def get_current_log(self) -> dict[str, float]:
        """The scalars of the last step, samples/s since the last call, and the peak memory in GiB."""
        now = time.perf_counter()
        speed = self._samples / (now - self._log_time)
        self._samples, self._log_time = 0, now
        return {**self.loss_log.averages(), 'samples_per_s': speed, 'peak_memory_gib': peak_memory_gib(self.device)}

    # Validation

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Networks in evaluation mode, without gradients."""
        for net in self.nets.values():
            net.eval()
        with torch.no_grad():
            yield
        for net in self.nets.values():
            net.train(self.is_train)

    def validation(
        self, dataloader: Any, current_iter: int | str, tb_logger: SummaryWriter | None, save_img: bool = False
    ) -> None:
        """Metrics and images of a validation set; where the first metric is the best so far, net_<label>_best.pth."""
        with self.evaluating():
            metrics = validate(self, dataloader.dataset, current_iter, tb_logger, save_img)
        if self.is_train and self.best.update(dataloader.dataset.opt['name'], metrics, self.opt['val'].get('metrics')):
            self.loss_log.check()
            if self.opt['rank'] == 0:
                save_networks(self, 'best')
        self._samples, self._log_time = 0, time.perf_counter()

    # Checkpoints

    def save(self, epoch: int, current_iter: int) -> None:
        """Networks, then the training state that makes them a complete set. `current_iter` -1: networks only."""
        self.loss_log.check()
        random_states = gather_objects(get_random_states())  # before anything is written: all processes have got here
        if self.opt['rank'] == 0:
            save_networks(self, 'latest' if current_iter == -1 else current_iter)
            if current_iter != -1:
                save_training_state(self, epoch, current_iter, random_states)

    def domain_of(self, label: str) -> Domain | None:
        """The domain of network_<label>; None where it has both, or none."""
        return next((domain for domain in get_args(Domain) if label.split('_')[-1] == domain), None)

    def resume_training(self, resume_state: dict[str, Any]) -> None:
        """Goes on from a training state and the networks saved with it."""
        load_networks(self, resume_state['iter'])
        super().resume_training(resume_state)
        restore_training_state(self, resume_state)
