"""The option file of a run, section by section, as BasicSR reads it; models add what they read themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    create_model,
)
from pydantic_core import CoreSchema

from daefr_arch.options.dataset import Dataset
from daefr_arch.options.kinds import Decay, Iterations
from daefr_arch.options.registered import Metric, Registered, Typed
from daefr_arch.options.section import Holder, Section


class Adam(Typed):
    """PyTorch's Adam: BasicSR knows no other optimiser."""

    lr: NonNegativeFloat
    """learning rate; the paper: 1.44e-4, for YAML !!float 1.44e-4"""
    betas: Annotated[Sequence[Decay], Field(min_length=2, max_length=2)] = (0.9, 0.999)
    """decay of the averages of the gradient and of its square; the official code: 0.5, 0.9"""
    eps: PositiveFloat = 1e-8
    """added to the root of the second average"""
    weight_decay: NonNegativeFloat = 0.0
    """L2 penalty"""
    amsgrad: bool = False
    """divide by the largest second average so far"""
    fused: bool | None = None
    """one kernel for all parameters; ~: PyTorch decides"""
    foreach: bool | None = None
    """a kernel for lists of parameters; ~: PyTorch decides"""
    capturable: bool = False
    """safe for capture in a CUDA graph"""
    differentiable: bool = False
    """gradients flow through the step"""
    maximize: bool = False
    """climb instead of descend"""


class MultiStepLR(Typed):
    """Multiplies the learning rate at milestones; BasicSR's MultiStepRestartLR."""

    milestones: Sequence[Iterations]
    """iterations after which the rate falls"""
    gamma: PositiveFloat = 0.1
    """factor at each milestone"""
    restarts: Sequence[NonNegativeInt] = (0,)
    """iterations at which the rate starts again"""
    restart_weights: Sequence[NonNegativeFloat] = (1,)
    """factor of the first rate at each restart"""


class CosineAnnealingRestartLR(Typed):
    """BasicSR's cosine annealing with restarts."""

    periods: Sequence[Iterations]
    """iterations of each period; their sum is total_iter at least"""
    restart_weights: Sequence[NonNegativeFloat] = (1,)
    """factor of the first rate in each period"""
    eta_min: NonNegativeFloat = 0.0
    """lowest rate"""


SCHEDULERS = {
    'MultiStepLR': MultiStepLR,
    'MultiStepRestartLR': MultiStepLR,
    'CosineAnnealingRestartLR': CosineAnnealingRestartLR,
}
OPTIMISER = Registered('optimiser', {'Adam': Adam})
SCHEDULER = Registered('scheduler', SCHEDULERS)
Optimiser = Annotated[dict[str, Any], OPTIMISER]
Scheduler = Annotated[dict[str, Any], SCHEDULER]


class TrainOptions(Section):
    """`train` of every stage."""

    total_iter: Iterations
    """iterations of the whole training"""
    scheduler: Scheduler
    """how the learning rate falls"""
    warmup_iter: Annotated[int, Field(ge=-1)] = -1
    """iterations in which the learning rate rises linearly; -1: none"""
    amp: Literal['auto', 'bf16', 'fp16'] | None = None
    """type of mixed precision; auto: bf16 on CUDA and CPUs with AMX, else float32; ~: float32"""
    grad_clip: PositiveFloat | None = None
    """largest norm of an optimiser's gradient; ~: any"""
    ema_decay: Decay | None = 0.0
    """of the moving average of the weights, which is validated and saved as params_ema; 0: none"""
    compile: bool = False
    """compile the networks with torch.compile"""
    channels_last: bool = False
    """memory layout of images and feature maps; faster in half precision"""
    net_d_iters: Literal[1] = 1
    """BasicSR's; here the discriminator steps in every iteration: gan_opt.start_iteration delays it"""
    net_d_init_iters: Literal[0] = 0
    """BasicSR's; here both networks step in every iteration: gan_opt.start_iteration delays the adversarial loss"""


class PathOptions(Section):
    """`path` of every stage: checkpoints."""

    resume_state: str | None = None
    """training state to go on from; --auto_resume finds the newest"""
    ignore_resume_networks: Sequence[str] | None = None
    """network_<label> of those that a resumed run does not take from the experiment but starts again"""

    def start(self, label: str) -> str | None:
        """The checkpoint that network_<label> starts from, of a model that declares one."""
        return getattr(self, f'pretrain_network_{label}')

    def resumes(self, label: str) -> bool:
        """Whether a resumed run takes network_<label> from the experiment."""
        return bool(self.resume_state) and f'network_{label}' not in (self.ignore_resume_networks or ())


@dataclass(frozen=True, eq=False)
class StartsFrom(Holder):
    """Metadata of `path: Annotated[PathOptions, StartsFrom({'g': words})]`: labels of networks with checkpoints.

    needed: labels of those without whose checkpoint no training begins.
    parts: labels of those whose checkpoint gives a part only: for them there is no strict_load.
    """

    labels: Mapping[str, str]
    needed: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @cached_property
    def section(self) -> type[Section]:
        """PathOptions with the keys of each label."""
        fields: dict[str, Any] = {}
        for label, words in self.labels.items():
            strict = f'whether every weight of network_{label} must be in its checkpoint, and no other'
            key = 'which weights of the checkpoint; ~: params_ema, or params where there is none'
            start: tuple = (str, ...) if label in self.needed else (str | None, None)
            fields[f'pretrain_network_{label}'] = (start[0], Field(start[1], description=words))
            if label not in self.parts:
                fields[f'strict_load_{label}'] = (bool, Field(True, description=strict))
            fields[f'param_key_{label}'] = (Literal['params', 'params_ema'] | None, Field(None, description=key))
        return create_model(
            '_'.join(('PathOptions', *self.labels)), __base__=PathOptions, __doc__=PathOptions.__doc__, **fields
        )

    def field_section(self) -> type[Section]:
        return self.section

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(self.section)


class ValOptions(Section):
    """Validation while training, or the measurement of a test."""

    val_freq: Iterations | None = None
    """iterations between two validations; needed in training"""
    save_img: bool
    """whether to write the restored images"""
    suffix: str | None = None
    """of the names of images that a test writes; ~: the name of the run"""
    metrics: dict[str, Metric] | None = None
    """name -> metric; the first decides on net_<label>_best.pth"""
    pbar: bool = False
    """show a progress bar"""


class Wandb(Section):
    """Weights & Biases, beside TensorBoard; needs the package wandb."""

    project: str | None = None
    """name of the project; ~: off"""
    resume_id: str | None = None
    """of the run to go on with"""


class LoggerOptions(Section):
    """Logs and checkpoints of a training."""

    print_freq: Iterations
    """iterations between two lines of the log"""
    save_checkpoint_freq: Iterations
    """iterations between two checkpoints"""
    use_tb_logger: bool
    """write for TensorBoard, to tb_logger/"""
    wandb: Wandb | None = None
    """Weights & Biases"""


class DistParams(Section):
    """What torch.distributed starts with."""

    backend: str | None = None
    """gloo, nccl or another backend of torch.distributed; ~: NCCL for GPUs, gloo for CPUs"""
    port: Annotated[int, Field(gt=0, lt=65536)] = 29500
    """of the first process, with --launcher slurm"""


# `import` is a word of Python, so that it cannot stand in a class
_WORDS = 'modules or packages of yours that register networks, losses, datasets, metrics or models; as --import'
_IMPORT: dict[str, Any] = {'import': (str | Sequence[str] | None, Field(None, description=_WORDS))}
_Imports: Any = create_model('_Imports', __base__=Section, **_IMPORT)


class BasicSRFile(_Imports):
    """The file of a run, as far as BasicSR itself reads it."""

    name: Annotated[str, Field(min_length=1)]
    """of the run and its folder, experiments/<name> or results/<name>"""
    model_type: str
    """the stage: a registered model"""
    num_gpu: NonNegativeInt | Literal['auto']
    """auto: all that there are; 0: the CPU"""
    manual_seed: NonNegativeInt | None = None
    """of weights and, with a dataset's own seed, of everything that is drawn; ~: another one each time"""
    scale: PositiveInt | None = None
    """BasicSR's, of sets whose lq images are smaller; faces keep their size: 1"""
    datasets: dict[str, Dataset]
    """train, val and val_<name> in training, test and test_<name> in a test; their names differ"""
    val: ValOptions | None = None
    """validation; ~: none"""
    logger: LoggerOptions
    """logs and checkpoints"""
    find_unused_parameters: bool = False
    """of DistributedDataParallel"""
    dist_params: DistParams | None = None
    """of torch.distributed"""


class OptionFile(BasicSRFile):
    """The file of a run."""

    path: PathOptions
    """checkpoints to start from"""
    train: TrainOptions
    """losses, optimisers, precision"""
