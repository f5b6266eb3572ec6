"""From the key layout of the official checkpoints to ours, and a network's options from its state dict."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from basicsr.utils.registry import ARCH_REGISTRY
from torch import Tensor, nn

from daefr_arch.checkpoints.foreign_files import one_line, printable
from daefr_arch.checkpoints.network_size import no_larger_than
from daefr_arch.checkpoints.state_dict import StateDict
from daefr_arch.errors import WeightsError

# our module -> official module, for each of our parts
_AUTOENCODER = {
    'encoder': 'encoder',
    'quant_conv': 'quant_conv',
    'codebook': 'quantize',
    'post_quant_conv': 'post_quant_conv',
    'decoder': 'decoder',
}
_HQ = {ours: f'vqvae.{theirs}' for ours, theirs in _AUTOENCODER.items()}
_LQ = {ours: f'vqvae_LQ.{theirs}' for ours, theirs in _AUTOENCODER.items()}
_FIXED_HQ = _HQ | {
    'encoder': 'vqvae.Fixed_encoder',
    'quant_conv': 'vqvae.Fixed_quant_conv',
    'codebook': 'vqvae.Fixed_quantize',
}
_DAEFR = {
    'hq_encoder': 'vqvae.HQ_encoder',
    'hq_quant_conv': 'vqvae.HQ_quant_conv',
    'lq_encoder': 'vqvae.encoder',
    'lq_quant_conv': 'vqvae.quant_conv',
    'codebook': 'vqvae.Fixed_quantize',
    'post_quant_conv': 'vqvae.post_quant_conv',
    'decoder': 'vqvae.decoder',
    'fusion': 'cross_attention',
    'position_embedding': 'position_emb',
    'feat_embedding': 'feat_emb',
    'transformer': 'ft_layers',
    'code_head': 'idx_pred_layer',
}
# What every official network has, even where keys that would tell it are missing
_RELEASED = {'mid_blocks': True, 'resampling': 'strided', 'quant_convs': True}
# Not part of a network: the associated codebooks that stage 3 replaces, and the temperature of stage 2
_UNUSED = re.compile(r'vqvae\.(HQ|LQ)_quantize\.embedding\.weight|logit_scale')
# The official self-attention owns a second norm that it never applies
_UNUSED_NORM = re.compile(r'\.(attn\.\d+|attn_1)\.norm2\.(weight|bias)$')
_DISCRIMINATOR = re.compile(r'^(loss(?:_LQ)?)\.discriminator\.(.+)$')
_RENAMES = (
    (re.compile(r'\.nin_shortcut\.'), '.shortcut.'),
    (re.compile(r'\.(?:down|up)sample\.'), '.resample.'),
    (re.compile(r'^(fusion|.*\.attn\.\d+|.*\.attn_1)\.(q|k|v|proj_out)\.'), r'\1.attention.\2.'),
    (re.compile(r'\.self_attn\.out_proj\.'), '.attention.proj_out.'),
)
_PACKED = re.compile(r'^(.*)\.self_attn\.in_proj_(weight|bias)$')


def is_official(keys: Iterable[str]) -> bool:
    """Whether these are the keys of an official checkpoint."""
    return any(key.startswith(('vqvae.', 'vqvae_LQ.', 'loss.', 'loss_LQ.')) for key in keys)


def convert_official(state_dict: Mapping[str, Tensor], resolution: int | None = None) -> dict[str, StateDict]:
    """Official state dict of any stage -> our state dicts by part name.

    A stage-1 file gives `codebook`; an association file `hq_codebook` and `lq_codebook`; a DAEFR file `daefr` and
    `hq_codebook` (the frozen stage-1 autoencoder that training stage 3 needs); and `discriminator`, or
    `hq_discriminator` and `lq_discriminator`, where the file holds them.

    Args:
        state_dict: official key -> tensor, as under `state_dict` of the Lightning file.
        resolution: side of the images in pixels, where the keys do not tell (see infer_options).

    Raises WeightsError that names the keys that are missing, unexpected or of another shape.
    """
    parts: dict[str, dict[str, str]]
    if any(key.startswith(('ft_layers.', 'cross_attention.')) for key in state_dict):
        parts = {'daefr': _DAEFR, 'hq_codebook': _FIXED_HQ}
    elif any(key.startswith('vqvae_LQ.') for key in state_dict):
        parts = {'hq_codebook': _HQ, 'lq_codebook': _LQ}
    elif any(key.startswith('vqvae.') for key in state_dict):
        parts = {'codebook': _HQ}
    elif any(_DISCRIMINATOR.match(key) for key in state_dict):
        parts = {}
    else:
        raise WeightsError(
            f'not an official DAEFR state dict: expected keys like vqvae.*, got {_some(map(printable, state_dict))}'
        )
    used: set[str] = set()
    converted: dict[str, StateDict] = {}
    for part, modules in parts.items():
        converted[part] = _convert_part(state_dict, modules, used)
    converted.update(_convert_discriminators(state_dict, dual='lq_codebook' in parts))
    unexpected = [
        key
        for key in state_dict
        if key not in used
        and not key.startswith('loss')
        and not _UNUSED.fullmatch(key)
        and not _UNUSED_NORM.search(key)
    ]
    if unexpected:
        raise WeightsError(f'unexpected keys in the official state dict: {_some(unexpected)}')
    for part, modules in parts.items():
        options = infer_options(converted[part], resolution, modules) | _RELEASED
        if part == 'daefr':
            options |= {'fusion': 'mhca', 'position_embedding': 'learned', 'encoders': 'dual'}  # as released
        check_state_dict(converted[part], options, modules)
    return converted


def lq_codebook(state_dict: Mapping[str, Tensor]) -> Tensor | None:
    """The associated LQ codebook (N, d) that appendix C quantises with, from an official or one of our state dicts.

    An autoencoder alone (stage 1, or ours) does not say whose path it is: its codebook is taken. None where there is
    no LQ codebook.
    """
    names = ['lq_codebook', 'vqvae_LQ.quantize', 'vqvae.LQ_quantize', 'vqvae.quantize']
    if 'encoder.conv_in.weight' in state_dict:
        names.append('codebook')  # that of a DAEFR is the HQ codebook
    return next((state_dict[key] for name in names if (key := f'{name}.embedding.weight') in state_dict), None)


def _convert_part(state_dict: Mapping[str, Tensor], modules: Mapping[str, str], used: set[str]) -> StateDict:
    """The keys of one part under our names; the official keys that went into it are added to `used`."""
    converted: StateDict = {}
    for key, value in state_dict.items():
        for ours, theirs in modules.items():
            if (key == theirs or key.startswith(theirs + '.')) and not _UNUSED_NORM.search(key):
                used.add(key)
                converted.update(_rename(ours + key[len(theirs) :], value))
    return converted


def _rename(key: str, value: Tensor) -> StateDict:
    """One tensor under our module's name -> the tensors it becomes."""
    packed = _PACKED.match(key)
    if packed:
        if not value.ndim or len(value) % 3:
            raise WeightsError(f'{printable(key, 100)}: expected q, k and v, three of a size, got {tuple(value.shape)}')
        parts = zip('qkv', value.chunk(3), strict=True)
        return {f'{packed[1]}.attention.{name}.{packed[2]}': part.clone() for name, part in parts}
    for pattern, replacement in _RENAMES:
        key = pattern.sub(replacement, key)
    if '.attention.' in key and value.shape[2:] == (1, 1):  # a 1x1 convolution there, a linear layer here
        value = value[:, :, 0, 0]
    return {key: value.contiguous()}


def _convert_discriminators(state_dict: Mapping[str, Tensor], dual: bool) -> dict[str, StateDict]:
    names = {'loss': 'hq_discriminator' if dual else 'discriminator', 'loss_LQ': 'lq_discriminator'}
    converted: dict[str, StateDict] = {}
    for key, value in state_dict.items():
        match = _DISCRIMINATOR.match(key)
        if match:
            converted.setdefault(names[match[1]], {})[match[2]] = value
    for discriminator in converted.values():
        check_state_dict(discriminator, {'type': 'DAEFRPatchDiscriminator'})
    return converted


def create_network(options: Mapping[str, Any]) -> nn.Module:
    """The network of `options`, as BasicSR's build_network makes it, but without a line in the log."""
    arguments = dict(options)
    return ARCH_REGISTRY.get(arguments.pop('type'))(**arguments)


def infer_options(
    state_dict: Mapping[str, Tensor], resolution: int | None = None, modules: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Options of the network (build_network's argument) that a state dict in our layout belongs to.

    Everything is read from the tensors, but two things that they do not tell: heads (8, as published) and, for an
    autoencoder or with sine positions, the resolution (such that the lowest attention is at 16x16, as published, unless
    `resolution` is given). Raises WeightsError that names a missing key.
    """

    def shape(key: str) -> tuple[int, ...]:
        if key not in state_dict:
            raise WeightsError(f'the state dict lacks {_official_name(key, modules)}')
        found = tuple(state_dict[key].shape)
        if not found or 0 in found or (key.endswith('embedding.weight') and len(found) < 2):
            raise WeightsError(f'{_official_name(key, modules)}: expected weights, got {found}')
        return found

    def count(pattern: str) -> int:
        return 1 + max((int(match[1]) for key in state_dict if (match := re.match(pattern, key))), default=-1)

    single = any(key.startswith('encoder.') for key in state_dict)
    prefix = 'encoder' if single else 'hq_encoder' if 'hq_encoder.conv_in.weight' in state_dict else 'lq_encoder'
    ch = shape(f'{prefix}.down.0.block.0.norm1.weight')[0]
    levels = count(rf'{prefix}\.down\.(\d{{1,4}})\.')
    channels = [shape(f'{prefix}.down.{level}.block.0.conv1.weight')[0] for level in range(levels)]
    attention = [level for level in range(levels) if f'{prefix}.down.{level}.attn.0.norm1.weight' in state_dict]
    if resolution is None and 'position_embedding' in state_dict:
        resolution = round(shape('position_embedding')[0] ** 0.5) << (levels - 1)
    if resolution is None:
        if not attention:
            raise WeightsError('the state dict does not tell the resolution of its images: give it')
        resolution = 16 << attention[-1]
    options: dict[str, Any] = {
        'type': 'DAEFRCodebook' if single else 'DAEFR',
        'resolution': resolution,
        'ch': ch,
        'ch_mult': [channel // ch for channel in channels],
        'num_res_blocks': count(rf'{prefix}\.down\.0\.block\.(\d{{1,4}})\.'),
        'attn_resolutions': [resolution >> level for level in attention],
        'z_channels': shape(f'{prefix}.conv_out.weight')[0],
        'embed_dim': shape('codebook.embedding.weight')[1],
        'codebook_size': shape('codebook.embedding.weight')[0],
        'mid_blocks': any(key.startswith(f'{prefix}.mid.') for key in state_dict),
        'resampling': 'bilinear' if f'{prefix}.down.0.resample.conv_after.weight' in state_dict else 'strided',
        'quant_convs': any(key.endswith('quant_conv.weight') for key in state_dict),
    }
    if single:
        return options
    hq, lq = (any(key.startswith(f'{path}_encoder.') for key in state_dict) for path in ('hq', 'lq'))
    fusions = {
        'fusion.attention.q.weight': 'mhca',
        'fusion.mhca.norm1.weight': 'mhca_ffn',
        'fusion.mhca.attention.q.weight': 'paper',  # mhca_ffn has it too
    }
    return options | {
        'dim_embd': shape('feat_embedding.weight')[0],
        'n_head': 8,
        'n_layers': count(r'transformer\.(\d{1,4})\.'),
        'dim_mlp': shape('transformer.0.linear1.weight')[0],
        'fusion': next((name for key, name in fusions.items() if key in state_dict), 'linear' if hq and lq else 'mhca'),
        'position_embedding': 'learned' if 'position_embedding' in state_dict else 'sine',
        'encoders': 'dual' if hq and lq else 'hq' if hq else 'lq',
        'lq_control': any(key.startswith('lq_control.') for key in state_dict),
    }


def check_state_dict(
    state_dict: Mapping[str, Tensor], options: dict[str, Any], modules: Mapping[str, str] | None = None
) -> None:
    """Raises WeightsError that names the keys by which the state dict differs from the network of these options."""
    try:
        with torch.device('meta'), no_larger_than(state_dict):
            expected = create_network(options).state_dict()
    except WeightsError:
        raise
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise WeightsError(f'the shapes in the state dict fit no {options["type"]}: {one_line(error)}') from error
    differences = key_differences(state_dict, expected, modules)
    if differences:
        raise WeightsError(f'the state dict does not fit {options["type"]}: {differences}')


def key_differences(
    state_dict: Mapping[str, Tensor], expected: Mapping[str, Tensor], modules: Mapping[str, str] | None = None
) -> str | None:
    """The missing, unexpected, misshapen and whole-numbered keys of a state dict, in words; None where all is right.

    modules: our module -> official module, to name the keys as an official file does.
    """
    missing = [_official_name(key, modules) for key in expected if key not in state_dict]
    unexpected = [_official_name(key, modules) for key in state_dict if key not in expected]
    misshapen = [
        f'{_official_name(key, modules)} (expected {tuple(expected[key].shape)}, got {tuple(value.shape)})'
        for key, value in state_dict.items()
        if key in expected and expected[key].shape != value.shape
    ]
    truncated = [
        f'{_official_name(key, modules)} (expected {expected[key].dtype}, got {value.dtype})'
        for key, value in state_dict.items()
        if key in expected and expected[key].is_floating_point() and not value.is_floating_point()
    ]
    problems = (('missing', missing), ('unexpected', unexpected), ('misshapen', misshapen), ('truncated', truncated))
    return '; '.join(f'{title}: {_some(keys)}' for title, keys in problems if keys) or None


def _official_name(key: str, modules: Mapping[str, str] | None) -> str:
    """Our key with its module's official name, for messages."""
    module, dot, rest = key.partition('.')
    return (modules or {}).get(module, module) + dot + rest


def _some(keys: Iterable[str], most: int = 8) -> str:
    keys = [printable(key, 160) for key in keys]
    return ', '.join(keys[:most]) + (f' and {len(keys) - most} more' if len(keys) > most else '')
