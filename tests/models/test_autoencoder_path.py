"""The gradients of AutoencoderPath beside those of the total loss, as Eq. 3 writes it."""

import pytest
import torch
from basicsr.archs import build_network
from torch import Tensor

from daefr_arch.losses.adversarial_loss import adaptive_weight
from daefr_arch.models.autoencoder_path import AutoencoderLosses, AutoencoderOptions, AutoencoderPath
from daefr_arch.models.codebook_updates import CodebookUpdates

SIZES = {'resolution': 32, 'ch': 32, 'ch_mult': (1, 2), 'num_res_blocks': 1, 'z_channels': 32, 'embed_dim': 32}
GAN = {'type': 'DAEFRAdversarialLoss', 'loss_weight': 0.8, 'adaptive': True, 'start_iteration': 5}


def build_path(gan: dict) -> AutoencoderPath:
    """A path in float64, so that only the arithmetic differs."""
    torch.manual_seed(0)
    net = build_network({'type': 'DAEFRCodebook', **SIZES, 'attn_resolutions': (16,), 'codebook_size': 8}).double()
    discriminator = build_network({'type': 'DAEFRPatchDiscriminator', 'ch': 8, 'num_layers': 1}).double()
    options = {'pixel_opt': {'type': 'L1Loss'}, 'code_opt': {'type': 'DAEFRCodeLoss'}, 'gan_opt': gan}
    losses = AutoencoderLosses(AutoencoderOptions.model_construct(**options))
    return AutoencoderPath(net, discriminator, losses, CodebookUpdates(net.codebook))


def images() -> Tensor:
    return torch.rand(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def plain_gradients(path: AutoencoderPath, iteration: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Of the sum of all losses, by one graph."""
    net, losses = path.bare_net, path.losses
    output = net(images())
    log = {
        'l_pix': (output.reconstruction - images()).abs().mean(),
        'l_code': losses.code(output.feature, output.codes),
    }
    if iteration >= GAN['start_iteration']:
        loss, layer = losses.adversarial.generator(path.discriminator(output.reconstruction)), net.decoder.conv_out
        gradients = (torch.autograd.grad(of, layer.weight, retain_graph=True)[0] for of in (log['l_pix'], loss))
        weight = 0.8 * adaptive_weight(*gradients) if losses.adversarial.adaptive else 0.8
        log['l_g_gan'] = weight * loss
    gradients = torch.autograd.grad(sum(log.values()), list(net.parameters()), allow_unused=True)
    return dict(zip((name for name, _ in net.named_parameters()), gradients, strict=True)), log


@pytest.mark.parametrize('adaptive', [True, False])
@pytest.mark.parametrize('iteration', [4, 5])
@pytest.mark.parametrize('scale', [1.0, 4096.0])
def test_gradients_are_those_of_the_total_loss(adaptive: bool, iteration: int, scale: float) -> None:
    path = build_path({**GAN, 'adaptive': adaptive})
    path.forward(images())
    objective, log = path.autoencoder_loss(iteration, scale)
    objective.backward()
    expected, expected_log = plain_gradients(path, iteration)
    for name, value in expected_log.items():
        torch.testing.assert_close(log[name], value.detach(), rtol=1e-6, atol=1e-9)
    assert ('gan_weight' in log) == (iteration == 5)
    for name, parameter in path.bare_net.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-6, atol=1e-9)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in path.discriminator.parameters())


def test_each_network_goes_backward_once() -> None:
    path = build_path(GAN)
    path.forward(images())
    passes = {'autoencoder': 0, 'discriminator': 0}
    for name, module in (('autoencoder', path.bare_net.decoder.mid), ('discriminator', path.discriminator)):
        module.register_full_backward_hook(lambda *_, name=name: passes.update({name: passes[name] + 1}))
    path.forward(images())
    path.autoencoder_loss(5)[0].backward()
    assert passes == {'autoencoder': 1, 'discriminator': 1}
