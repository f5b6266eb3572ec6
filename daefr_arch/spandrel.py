"""DAEFR for programs that load models through spandrel (chaiNNer, ComfyUI, ...): `daefr_arch.spandrel.install()`.

Then `spandrel.ModelLoader().load_from_file(path)` reads our files and the official checkpoints as a face restorer.
"""

from spandrel import MAIN_REGISTRY, Architecture, ArchSupport, ImageModelDescriptor, SizeRequirements, StateDict
from spandrel.util import KeyCondition
from torch import Tensor

from daefr_arch import checkpoints
from daefr_arch.archs.daefr_arch import DAEFR

ID = 'DAEFR'


class FaceModel(DAEFR):
    """DAEFR with the arguments that programs give every face restorer."""

    def forward(  # type: ignore[override]
        self, x: Tensor, return_rgb: bool = False, weight: float | None = None
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Faces (B, 3, R, R), RGB in [-1, 1] -> (restored, logits, fused features), as DAEFR's.

        return_rgb is GFPGAN's and weight CodeFormer's: both without effect.
        """
        del return_rgb, weight
        return super().forward(x)


class DAEFRArch(Architecture[FaceModel]):
    """DAEFR among spandrel's architectures; the hyper-parameters are read from the state dict.

    The descriptor's own call takes one aligned face (1, 3, R, R), RGB in [0, 1], R the network's resolution, and
    returns the same. `descriptor.model` is the network, which is called as programs call face restorers:
    `model(x, return_rgb=False, weight=0.5)[0]`, RGB in [-1, 1].
    """

    def __init__(self) -> None:
        ours = KeyCondition.has_all('codebook.embedding.weight', 'code_head.1.weight', 'feat_embedding.weight')
        official = KeyCondition.has_all('vqvae.Fixed_quantize.embedding.weight', 'idx_pred_layer.1.weight')
        super().__init__(id=ID, detect=KeyCondition.has_any(ours, official))

    def load(self, state_dict: StateDict) -> ImageModelDescriptor[FaceModel]:
        """Raises WeightsError that names the keys by which the state dict is no DAEFR's."""
        if checkpoints.is_official(state_dict):
            state_dict = checkpoints.convert_official(state_dict)['daefr']
        options = checkpoints.infer_options(state_dict)
        checkpoints.check_state_dict(state_dict, options)
        network = FaceModel(**{name: value for name, value in options.items() if name != 'type'})
        size = network.resolution
        return ImageModelDescriptor(
            network,
            state_dict,
            architecture=self,
            purpose='FaceSR',
            tags=[f'{size}px'],
            supports_half=False,  # sums of the encoders can pass float16's largest number, and codes change
            supports_bfloat16=True,
            scale=1,
            input_channels=3,
            output_channels=3,
            size_requirements=SizeRequirements(minimum=size, multiple_of=size, square=True),
            call_fn=lambda model, image: (model(image * 2 - 1)[0] + 1) / 2,
        )


def install(*, ignore_duplicates: bool = False) -> list[ArchSupport]:
    """Adds DAEFR to spandrel's main registry, which ModelLoader reads; returns what was added.

    Raises spandrel's DuplicateArchitectureError where it is there already, unless `ignore_duplicates`.
    """
    return MAIN_REGISTRY.add(ArchSupport.from_architecture(DAEFRArch()), ignore_duplicates=ignore_duplicates)
