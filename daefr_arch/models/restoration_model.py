"""Stage 3: fusion and code prediction (Sec. 3.3)."""

from typing import Annotated, ClassVar, cast

import torch
from basicsr.archs import build_network
from basicsr.losses import build_loss
from basicsr.utils.registry import MODEL_REGISTRY
from pydantic import model_validator
from torch import Tensor

from daefr_arch.archs.codebook_arch import DAEFRCodebook, autoencoder_options
from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.archs.quantizer import Quantized
from daefr_arch.errors import InputError, WeightsError
from daefr_arch.models.base import DAEFRBaseModel
from daefr_arch.models.frozen import freeze
from daefr_arch.models.image_losses import ImageLosses, ImageLossOptions
from daefr_arch.models.starting_points import Start
from daefr_arch.options.registered import Loss, Network
from daefr_arch.options.run_file import Optimiser, OptionFile, PathOptions, StartsFrom
from daefr_arch.options.section import OptionError


class RestorationOptions(ImageLossOptions):
    """`train` of stage 3. Losses on images are none of the paper's: the decoder runs in training only for them."""

    prediction_opt: Loss
    """the loss of the fused feature and the code indices"""
    train_encoders: bool = True
    """false: both encoders are frozen"""
    optim_g: Optimiser
    """of all that is trained"""


class RestorationFile(OptionFile):
    """The option file of stage 3."""

    network_g: Network
    """the whole network"""
    path: Annotated[
        PathOptions,
        StartsFrom(
            {
                'codebook': 'the HQ stage 1, always needed: codebook, decoder and targets',
                'hq': 'the HQ encoder, of stage 2, or of stage 1 for a model without association',
                'lq': 'the LQ encoder, likewise',
                'g': 'instead of hq and lq: a stage-3 checkpoint to go on from',
            },
            needed=('codebook',),
        ),
    ]
    train: RestorationOptions

    @model_validator(mode='after')
    def _starts_somewhere(self) -> 'RestorationFile':
        if not self.path.in_training or self.path.resume_state or self.path.start('g'):
            return self
        encoders = self.network_g.get('encoders', 'dual')
        for domain in ('hq', 'lq') if encoders == 'dual' else (encoders,):
            if not self.path.start(domain):
                problem = ' is missing: name the checkpoint of an earlier stage, or pretrain_network_g to go on from'
                raise OptionError(('path', f'pretrain_network_{domain}'), problem)
        return self


@MODEL_REGISTRY.register()
class DAEFRRestorationModel(DAEFRBaseModel):
    """Trains the encoders, the fusion and the transformer of network_g (DAEFR) by Eq. 7.

    The codebook, post_quant_conv and the decoder are those of the HQ stage 1 and frozen; the targets come from that
    stage's frozen autoencoder. The decoder runs in training only for image-level losses. Official checkpoints will do
    for each of path.pretrain_network_*.
    """

    Options = RestorationFile
    options: RestorationFile
    stage = 'restoration'
    starts: ClassVar = {
        'codebook': Start(('codebook',), 'hq'),
        'hq': Start(('association', 'codebook'), 'hq'),
        'lq': Start(('association', 'codebook'), 'lq'),
        'g': Start(('restoration', 'control')),
    }

    def init_networks(self) -> None:
        net = cast(DAEFR, self.build('g', 'daefr'))
        if self.is_train:
            self.codebook = self._load_autoencoder('codebook', 'hq_codebook').to(self.device)
            freeze(self.codebook)
            if not self.resuming('g'):
                self._start(net)
            freeze(net.codebook, net.post_quant_conv, net.decoder)
            if not self.options.train.train_encoders:
                freeze(*(part for part in self._encoders(net) if part is not None))
        self.net_g = self.prepare('g', net)

    @staticmethod
    def _encoders(net: DAEFR) -> tuple[torch.nn.Module | None, ...]:
        return net.hq_encoder, net.hq_quant_conv, net.lq_encoder, net.lq_quant_conv

    def _load_autoencoder(self, label: str, part: str) -> DAEFRCodebook:
        """A DAEFRCodebook of network_g's sizes with the weights of path.pretrain_network_<label>."""
        autoencoder = build_network(autoencoder_options(self.opt['network_g']))
        self.load_start(autoencoder, label, part)
        return autoencoder

    def _start(self, net: DAEFR) -> None:
        """Fills the network from the earlier stages, or checks that the checkpoint to go on from belongs to them."""
        if self.start_file('g'):
            if not torch.equal(net.codebook.embedding.weight.cpu(), self.codebook.codebook.embedding.weight.cpu()):
                raise WeightsError(
                    'path.pretrain_network_g and path.pretrain_network_codebook hold different HQ codebooks: '
                    'name the stage-1 checkpoint with which the network was trained'
                )
            return
        for name in ('codebook', 'post_quant_conv', 'decoder'):
            net.get_submodule(name).load_state_dict(self.codebook.get_submodule(name).state_dict())
        for domain in ('hq', 'lq'):
            if getattr(net, f'{domain}_encoder') is None:
                continue
            autoencoder = self._load_autoencoder(domain, f'{domain}_codebook')
            for name in ('encoder', 'quant_conv'):
                net.get_submodule(f'{domain}_{name}').load_state_dict(autoencoder.get_submodule(name).state_dict())

    def init_training(self) -> None:
        self.prediction_loss = build_loss(self.options.train.prediction_opt).to(self.device)
        self.image_losses = ImageLosses(self.options.train).to(self.device)
        self.optimizer_g = self.add_optimizer('g', self.net_g)

    @torch.no_grad()
    def targets(self) -> Quantized:
        """The codes that the frozen HQ autoencoder gives the clean images."""
        if self.gt is None:
            raise InputError('code prediction needs a dataset with pairs of gt and lq images')
        return self.codebook.codebook(self.codebook.encode(self.gt))

    def training_step(self, current_iter: int) -> dict[str, Tensor]:
        with self.autocast():
            target = self.targets()
            _, logits, fused = self.net_g(self.lq, code_only=True)
            prediction = self.prediction_loss(logits, fused, target.indices, target.codes)
            log = {'l_feat': prediction.feature, 'l_index': prediction.code_index}
            if len(self.image_losses):
                log.update(self.image_losses(self._decode_differentiably(logits), self.gt))
        self.optimise(self.optimizer_g, sum(log.values(), start=logits.new_zeros(())))
        log['code_accuracy'] = (logits.argmax(2) == target.indices).float().mean()
        return log

    def _decode_differentiably(self, logits: Tensor) -> Tensor:
        """The images of the most likely codes, with the gradient of the expected codes (straight through)."""
        net: DAEFR = self.get_bare_model(self.net_g)
        with torch.autocast(logits.device.type, enabled=False):  # the softmax stays float32
            expected = logits.float().softmax(2) @ net.codebook.embedding.weight
        side = net.latent_size
        expected = expected.unflatten(1, (side, side)).permute(0, 3, 1, 2)
        codes = net.codebook.lookup(logits.argmax(2), side, side)
        return net.decoder(net.post_quant_conv(expected + (codes - expected).detach()))

    def restore(self) -> Tensor:
        return self.inference_net('g')(self.lq)[0]
