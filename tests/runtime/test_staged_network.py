import copy

import pytest
import torch

from daefr_arch.archs.daefr_arch import DAEFR
from daefr_arch.errors import InputError
from daefr_arch.runtime import staged_network
from daefr_arch.runtime.face_network import FaceNetwork
from daefr_arch.runtime.precision import StagePrecisions
from daefr_arch.runtime.staged_network import StagedNetwork
from tests.faces.photos import FakeNetwork
from tests.golden_parameters import TABLE_5

SIZES = {'resolution': 32, 'ch': 32, 'ch_mult': (1, 2), 'num_res_blocks': 1, 'n_layers': 1, 'dim_embd': 64}
FLOAT32 = StagePrecisions('fp32', 'fp32', 'fp32')


@pytest.fixture(scope='module')
def network() -> DAEFR:
    """Random, with a control module that does something."""
    torch.manual_seed(0)
    network = DAEFR(**SIZES, lq_control=True).eval().requires_grad_(False)
    for head in (network.lq_control.scale, network.lq_control.shift):
        torch.nn.init.normal_(head[2].weight, std=0.1)
    for codebook in (network.codebook, network.lq_codebook):
        torch.nn.init.normal_(codebook.embedding.weight)
    return network


@pytest.fixture(scope='module')
def x() -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize('s_lq', [None, 0.0, 0.7])
def test_float32_is_the_network_itself(network: DAEFR, x: torch.Tensor, s_lq: float | None) -> None:
    staged = StagedNetwork(network, FLOAT32)
    torch.testing.assert_close(staged(x, s_lq), network(x, s_lq=s_lq)[0])
    assert staged.network.decoder.conv_in is network.decoder.conv_in


def test_the_papers_network_runs_in_stages(x: torch.Tensor) -> None:
    torch.manual_seed(0)
    network = DAEFR(**SIZES | TABLE_5, fusion='paper', position_embedding='sine').eval().requires_grad_(False)
    staged = StagedNetwork(network, FLOAT32)
    torch.testing.assert_close(staged(x, None), network(x)[0])
    half = StagedNetwork(network, StagePrecisions('bf16', 'fp32', 'bf16'))(x, None)
    assert half.dtype == torch.float32
    assert half.isfinite().all()


def test_a_large_batch_is_computed_in_parts(network: DAEFR, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_network, 'MOST_FACES', 2)
    x = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected = network(x, s_lq=0.7)[0]
    staged = StagedNetwork(copy.deepcopy(network), FLOAT32)
    seen: dict[str, list[int]] = {'hq_encoder': [], 'fusion': [], 'decoder': []}
    for name, sizes in seen.items():
        staged.network.get_submodule(name).register_forward_pre_hook(lambda _, xs, s=sizes: s.append(len(xs[0])))
    torch.testing.assert_close(staged(x, 0.7), expected)
    assert seen == {'hq_encoder': [2, 2, 1], 'fusion': [5], 'decoder': [2, 2, 1]}


def test_stages_take_their_types(network: DAEFR, x: torch.Tensor) -> None:
    staged = StagedNetwork(network, StagePrecisions('fp16', 'fp32', 'bf16'))
    types = {}
    for name in ('hq_encoder', 'lq_encoder', 'fusion', 'code_head', 'lq_control', 'decoder'):
        module = staged.network.get_submodule(name)
        module.register_forward_hook(lambda *call, name=name: types.update({name: call[-1].dtype}))
    result = staged(x, 0.5)
    assert types == {
        **dict.fromkeys(('hq_encoder', 'lq_encoder'), torch.float16),
        **dict.fromkeys(('fusion', 'code_head'), torch.float32),
        **dict.fromkeys(('lq_control', 'decoder'), torch.bfloat16),
    }
    assert result.dtype == torch.float32
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    torch.testing.assert_close(result, network(x, s_lq=0.5)[0], rtol=0, atol=0.1)


@pytest.mark.parametrize('encoders', ['hq', 'lq'])
def test_one_encoder(x: torch.Tensor, encoders: str) -> None:
    network = DAEFR(**SIZES, encoders=encoders).eval()
    with torch.no_grad():
        assert torch.isfinite(StagedNetwork(network, StagePrecisions('bf16', 'fp32', 'bf16'))(x, None)).all()


def test_compiled_network_is_kept_and_equals_the_plain_one(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('DAEFR_HOME', str(tmp_path))
    for variable in ('TORCHINDUCTOR_CACHE_DIR', 'TRITON_CACHE_DIR'):
        monkeypatch.setenv(variable, '')  # so that it is as before after the test
        monkeypatch.delenv(variable)
    torch.manual_seed(0)
    sizes = {'resolution': 16, 'ch': 32, 'ch_mult': (1,), 'num_res_blocks': 1, 'n_layers': 1, 'dim_embd': 64}
    network = DAEFR(**sizes, dim_mlp=64, encoders='hq')
    face_network = FaceNetwork(network, device='cpu', precision='fp32', compile=True)
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(face_network._forward(x, None), network(x)[0], rtol=0, atol=1e-4)
    assert any((tmp_path / 'inductor').rglob('*'))


def test_only_daefr_is_compiled() -> None:
    with pytest.raises(InputError, match='expected a DAEFR network, got FakeNetwork'):
        FaceNetwork(FakeNetwork(), device='cpu', compile=True)
