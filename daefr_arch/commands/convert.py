"""`daefr convert`: a checkpoint of any kind -> safetensors with the network's options in the metadata."""

import argparse
import logging

from daefr_arch.commands.arguments import add_input, add_output_file, side

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input(parser, 'official .ckpt, BasicSR .pth or safetensors file', positional=True)
    add_output_file(parser, '.safetensors file; a file of several parts gets the part in its name')
    parser.add_argument('--part', help='write only this part, such as daefr, hq_codebook, lq_codebook or codebook')
    parser.add_argument('--half', action='store_true', help='store the weights in float16')
    parser.add_argument(
        '--resolution', type=side, metavar='PIXELS', help='side of the images in pixels, where the keys do not tell it'
    )
    parser.add_argument(
        '--ignore_objects', action='store_true', help="leave a pickle's objects out, without running their code"
    )


def run(args: argparse.Namespace) -> int:
    import torch

    from daefr_arch import checkpoints
    from daefr_arch.commands.exit_codes import OK
    from daefr_arch.errors import UsageError, WeightsError

    if args.output.suffix != '.safetensors':
        raise UsageError(f'expected an output ending in .safetensors, got {args.output}')
    read = checkpoints.read_ignoring_objects if args.ignore_objects else checkpoints.read_checkpoint
    checkpoint = read(args.input)
    is_official = checkpoints.is_official(checkpoint.state_dict)
    if is_official:
        parts = checkpoints.convert_official(checkpoint.state_dict, args.resolution)
        if args.part is not None and args.part not in parts:
            raise WeightsError(f'{args.input}: expected the part {args.part!r}, this file holds {list(parts)}')
        held = list(parts)
        parts = {name: part for name, part in parts.items() if args.part in (None, name)}
    else:
        parts = {'network': checkpoint.state_dict}
        if checkpoint.provenance is None:
            checkpoints.warn_of_unknown_origin(args.input)
    for name, state_dict in parts.items():
        if name.endswith('discriminator'):
            options = {'type': 'DAEFRPatchDiscriminator'}
        else:
            options = checkpoint.options or checkpoints.infer_options(state_dict, args.resolution)
        output = args.output if len(parts) == 1 else args.output.with_stem(f'{args.output.stem}_{name}')
        checkpoints.check_state_dict(state_dict, options)
        provenance = checkpoints.official_provenance(name, held) if is_official else checkpoint.provenance
        dtype = torch.float16 if args.half else None
        checkpoints.save_network(output, state_dict, options, dtype, provenance=provenance)
        _logger.info('%s: %s', output, options)
    return OK
