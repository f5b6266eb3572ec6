"""Files that stand where weights should, by name: what people have, and what somebody may have made on purpose.

`python -m tests.checkpoints.hostile_files FOLDER` opens each at each door and prints what came of it as JSON.
"""

import json
import os
import pickle
import resource
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save, save_file

from daefr_arch.checkpoints import create_network as build_network
from tests.golden_parameters import TINY, TINY_DAEFR

OPTIONS = {'type': 'DAEFR', **TINY_DAEFR}
MARK = 'ran.txt'  # a file that code of a pickle would write


class _Code:
    def __reduce__(self):
        return os.system, (f'touch {MARK}',)


def _saved(path, content):
    torch.save(content, path)


def _rewritten(path, change, compression=zipfile.ZIP_STORED):
    """A file of torch.save with other records."""
    torch.save({'weight': torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(path, 'w', compression) as archive:
        for name, data in records.items():
            archive.writestr(name, change(name, data))


def _bomb(name, data):
    return bytes(1 << 26) if name.endswith('/data/0') else data


def _nested(opcodes):
    return lambda name, data: b'\x80\x02}(' + opcodes + b'K\x01u.' if name.endswith('data.pkl') else data


def _changed(key, change):
    """The tiny network's state dict with one tensor changed."""
    state_dict = build_network(OPTIONS).state_dict()
    state_dict[key] = change(state_dict[key])
    return state_dict


def _with_nan(value):
    value = value.clone()
    value.view(-1)[-1] = float('nan')
    return value


def _safetensors(path, tensors=None, **words):
    save_file({'weight': torch.zeros(4)} if tensors is None else tensors, path, words or None)


def _network(path, options, **words):
    text = options if isinstance(options, str) else json.dumps(options)
    _safetensors(path, build_network(OPTIONS).state_dict(), network=text, **words)


def _header(path, header):
    data = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(len(data).to_bytes(8, 'little') + data + bytes(16))


def _metadata(path, metadata):
    _header(path, {'__metadata__': metadata, 'weight': {'dtype': 'F32', 'shape': [4], 'data_offsets': [0, 16]}})


NORM, EMBEDDING = 'hq_encoder.norm_out.weight', 'feat_embedding.weight'
FILES = {
    'empty': lambda path: path.write_bytes(b''),
    'text': lambda path: path.write_text('weights are at the usual place'),
    'page': lambda path: path.write_text('<!DOCTYPE html><html>Sign in</html>'),
    'lfs pointer': lambda path: path.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'),
    'picture': lambda path: path.write_bytes(b'\x89PNG\r\n\x1a\n' + bytes(1000)),
    'zeros': lambda path: path.write_bytes(bytes(100_000)),
    'plain pickle': lambda path: path.write_bytes(pickle.dumps({'weight': [1.0]})),
    'pickle of nothing': lambda path: path.write_bytes(pickle.dumps(None)),
    'pickle without end': lambda path: path.write_bytes(b'\x80\x02}q\x00'),
    'old format, cut': lambda path: (
        torch.save({'w': torch.zeros(99)}, path, _use_new_zipfile_serialization=False)
        or path.write_bytes(path.read_bytes()[:-100])
    ),
    'zip of others': lambda path: zipfile.ZipFile(path, 'w').writestr('a.txt', 'a'),
    'zip, cut': lambda path: torch.save({'w': torch.zeros(9999)}, path) or path.write_bytes(path.read_bytes()[:9999]),
    'zip bomb': lambda path: _rewritten(path, _bomb, zipfile.ZIP_DEFLATED),
    'damaged pickle': lambda path: _rewritten(path, lambda name, data: data[:-9] if 'pkl' in name else data),
    'tuples in tuples': lambda path: _rewritten(path, _nested(b')' + b'\x85' * 1_000_000)),
    'pairs in pairs': lambda path: _rewritten(path, _nested(b')' + b'N\x86' * 500_000)),
    'code': lambda path: _saved(path, {'params': {'weight': torch.zeros(1)}, 'hook': _Code()}),
    'code alone': lambda path: path.write_bytes(pickle.dumps(_Code(), 2)),
    'list': lambda path: _saved(path, [torch.zeros(1)]),
    'tensor': lambda path: _saved(path, torch.zeros(1)),
    'nothing': lambda path: _saved(path, None),
    'empty mapping': lambda path: _saved(path, {}),
    'empty params': lambda path: _saved(path, {'params': {}}),
    'params is a number': lambda path: _saved(path, {'params': 5}),
    'numbers as keys': lambda path: _saved(path, {'params': {1: torch.zeros(1)}}),
    'bytes as keys': lambda path: _saved(path, {b'weight': torch.zeros(1)}),
    'tuples as keys': lambda path: _saved(path, {('weight', 0): torch.zeros(1)}),
    'mapping in mapping': lambda path: _saved(path, {'params': {'encoder': {'weight': torch.zeros(1)}}}),
    'not a number': lambda path: _saved(path, {'params': _changed(EMBEDDING, _with_nan)}),
    'infinity': lambda path: _saved(path, {'params': _changed(NORM, lambda value: value / 0)}),
    'complex': lambda path: _saved(path, {'params': _changed(NORM, lambda value: value.to(torch.complex64))}),
    'truncated': lambda path: _saved(path, {'params': _changed(EMBEDDING, lambda value: value.to(torch.int8))}),
    'yes and no': lambda path: _saved(path, {'params': _changed(NORM, lambda value: value > 0)}),
    'float8': lambda path: _saved(path, {'params': _changed(NORM, lambda value: value.to(torch.float8_e4m3fn))}),
    'sparse': lambda path: _saved(path, {'params': _changed(EMBEDDING, torch.Tensor.to_sparse)}),
    'meta': lambda path: _saved(path, {'params': _changed(EMBEDDING, lambda value: value.to('meta'))}),
    'quantised': lambda path: _saved(
        path, {'params': _changed(EMBEDDING, lambda v: torch.quantize_per_tensor(v, 0.1, 0, torch.qint8))}
    ),
    'one number a million times': lambda path: _saved(path, {'weight': torch.zeros(1).expand(1 << 20, 1 << 20)}),
    'two that are one': lambda path: _saved(path, {'a._orig_mod.w': torch.zeros(1), 'a.w': torch.zeros(1)}),
    'scalars': lambda path: _saved(path, {key: torch.zeros(()) for key in build_network(OPTIONS).state_dict()}),
    'nothing in it': lambda path: _saved(path, {key: torch.zeros(0, 4) for key in build_network(OPTIONS).state_dict()}),
    'a billion layers in a key': lambda path: _saved(
        path, _changed(NORM, lambda v: v) | {f'transformer.{10**9}.x': torch.zeros(1)}
    ),
    'a long key': lambda path: _saved(path, {'weight\n\x1b[31m' * 100_000: torch.zeros(1)}),
    'official, odd': lambda path: _saved(path, {'ft_layers.0.self_attn.in_proj_weight': torch.zeros(4)}),
    'official, scalar': lambda path: _saved(path, {'vqvae.encoder.conv_in.weight': torch.zeros(())}),
    'safetensors, cut': lambda path: path.write_bytes(save({'w': torch.zeros(99)})[:-9]),
    'safetensors, huge header': lambda path: path.write_bytes((1 << 60).to_bytes(8, 'little') + b'{' + bytes(99)),
    'safetensors, header no JSON': lambda path: _header(path, b'{"weight": '),
    'safetensors, header nested': lambda path: _header(path, b'{"a":' * 100_000),
    'metadata: a mapping': lambda path: _metadata(path, {'network': {'type': 'DAEFR'}}),
    'metadata: a list': lambda path: _metadata(path, ['network']),
    'metadata: a number': lambda path: _metadata(path, {'network': 5}),
    'metadata: text': lambda path: _metadata(path, 'network'),
    'negative shape': lambda path: _header(path, {'w': {'dtype': 'F32', 'shape': [-4], 'data_offsets': [0, 16]}}),
    'fractional shape': lambda path: _header(path, {'w': {'dtype': 'F32', 'shape': [1.5], 'data_offsets': [0, 16]}}),
    'unknown dtype': lambda path: _header(path, {'w': {'dtype': 'X9', 'shape': [4], 'data_offsets': [0, 16]}}),
    'safetensors, not a number': lambda path: _safetensors(path, _changed(EMBEDDING, _with_nan)),
    'network: no JSON': lambda path: _network(path, '{"type": '),
    'network: nested': lambda path: _network(path, '{"type":' * 100_000),
    'network: a list': lambda path: _network(path, [OPTIONS]),
    'network: a number': lambda path: _network(path, 5),
    'network: without type': lambda path: _network(path, TINY_DAEFR),
    'network: type a list': lambda path: _network(path, {**OPTIONS, 'type': ['DAEFR']}),
    'network: unknown type': lambda path: _network(path, {**OPTIONS, 'type': 'Nothing'}),
    'network: one that reads files': lambda path: _network(path, {'type': 'SpyNet', 'load_path': 'x.pth'}),
    'network: unknown key': lambda path: _network(path, {**OPTIONS, 'colour': 1}),
    'network: text as size': lambda path: _network(path, {**OPTIONS, 'ch': '32'}),
    'network: negative size': lambda path: _network(path, {**OPTIONS, 'ch': -32}),
    'network: fractional size': lambda path: _network(path, {**OPTIONS, 'embed_dim': 1.5}),
    'network: not a number': lambda path: _network(path, json.dumps(OPTIONS | {'ch': float('nan')})),
    'network: vast size': lambda path: _network(path, {**OPTIONS, 'dim_embd': 10**30}),
    'network: vast table': lambda path: _network(
        path, {**OPTIONS, 'resolution': 1 << 40, 'position_embedding': 'sine', 'attn_resolutions': [1 << 37]}
    ),
    'network: ten million layers': lambda path: _network(path, {**OPTIONS, 'n_layers': 10**7}),
    'network: ten million blocks': lambda path: _network(path, {**OPTIONS, 'num_res_blocks': 10**7}),
    'network: another': lambda path: _network(path, {'type': 'DAEFRCodebook', **TINY}),
    'provenance: a list': lambda path: _network(path, OPTIONS, provenance='[1]'),
    'provenance: numbers': lambda path: _network(path, OPTIONS, provenance='{"stage": 5, "domain": "both"}'),
}


def doors():
    """Name -> what reads a file there."""
    from daefr_arch import checkpoints
    from daefr_arch.comparison.method import Method, load_method_network
    from daefr_arch.faces.detector import build_detector
    from daefr_arch.metrics.feature_statistics import FeatureStatistics
    from daefr_arch.metrics.fid_metric import build_inception
    from daefr_arch.restoration.real_esrgan import RealESRGANUpsampler

    network = build_network(OPTIONS)
    layer = torch.nn.Linear(4, 1)
    return {
        'network': checkpoints.load_network,
        'objects ignored': lambda path: _still_wrong(checkpoints.read_ignoring_objects(path)),
        'training': lambda path: checkpoints.load_stage_network(network, path, 'daefr'),
        'lq codebook': lambda path: checkpoints.load_lq_codebook(layer, path),
        'resumed networks': lambda path: checkpoints.fill(network, checkpoints.read_networks(path)['params'], path),
        'training state': checkpoints.load_training_state,
        'part of a metric': lambda path: checkpoints.load_into(layer, path),
        'lpips': lambda path: checkpoints.load_lpips('alex', path),
        'peer': lambda path: load_method_network(Method('x', str(path))),
        'detector': lambda path: build_detector('retinaface_mobile0.25', weights=path),
        'background': lambda path: RealESRGANUpsampler(weights=path, device='cpu'),
        'fid network': lambda path: build_inception(weights=path),
        'fid statistics': FeatureStatistics.read,
    }


def _still_wrong(checkpoint):
    """Its tensors may be right once the objects are left out; then it must fit no network."""
    from daefr_arch.checkpoints import check_state_dict

    check_state_dict(checkpoint.state_dict, checkpoint.options or OPTIONS)


def _outcomes(folder):
    for name, write in FILES.items():
        path = folder / 'weights.pth'
        path.unlink(missing_ok=True)
        write(path)
        yield name, path


def _peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(folder: Path) -> None:
    os.chdir(folder)
    opened = doors()
    results: dict[str, tuple[str, str, float]] = {}
    start = _peak_mib()
    for name, path in _outcomes(folder):
        for door, read in opened.items():
            sys.stderr.write(f'{name} at {door}\n')  # unbuffered: the last one is where it crashed
            before = resource.getrusage(resource.RUSAGE_SELF)
            try:
                read(path)
                outcome = ('accepted', '')
            except Exception as error:  # noqa: BLE001  whatever it is, the test wants to see it
                outcome = (type(error).__name__, str(error))
            after = resource.getrusage(resource.RUSAGE_SELF)
            results[f'{name} at {door}'] = (*outcome, after.ru_utime - before.ru_utime)
    sys.stdout.write(json.dumps({'results': results, 'more_mib': _peak_mib() - start, 'ran': (folder / MARK).exists()}))


if __name__ == '__main__':
    main(Path(sys.argv[1]))
