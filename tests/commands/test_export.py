"""What `daefr export` refuses, each in one line, with nothing written."""

import sys
from pathlib import Path

import pytest
import torch

from daefr_arch.commands import cli, exit_codes
from daefr_arch.exporting.parity import LIMITS, Parity, falls_short
from tests.models.stages import ROOT


def _fails(arguments: list[str], code: int, words: str, caplog: pytest.LogCaptureFixture, folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert cli.main(['export', *arguments, '--offline']) == code
    assert words in caplog.text
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(('agreement', 'psnr'), [(1.0, 20.0), (0.9, 90.0), (float('nan'), 90.0), (1.0, float('nan'))])
def test_what_falls_short(agreement, psnr):
    assert falls_short(Parity(1, None, agreement, psnr, 0.1), 'fp32')
    assert not falls_short(Parity(1, None, *LIMITS['fp32'], 0.1), 'fp32')


def test_other_networks_have_no_export(tmp_path, caplog):
    evidence = ROOT / 'weights/daefr_evidence_256.safetensors'
    words = 'expected a DAEFR, this is a DAEFREvidence, which has no export'
    _fails([str(tmp_path / 'a.onnx'), '-m', str(evidence)], exit_codes.FAILED, words, caplog, tmp_path)


@pytest.mark.parametrize(
    ('arguments', 'code', 'words'),
    [
        (['a.pth'], exit_codes.USAGE, 'expected an output ending in .onnx, got'),
        (['a.onnx', '-m', 'missing.pth'], exit_codes.FAILED, 'missing.pth'),
    ],
)
def test_wrong_arguments(arguments, code, words, tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _fails(arguments, code, words, caplog, tmp_path)


def test_without_the_extra(tmp_path, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    words = "an export needs an extra: pip install 'daefr_arch[export]'"
    _fails([str(tmp_path / 'a.onnx')], exit_codes.USAGE, words, caplog, tmp_path)


def test_an_older_pytorch(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(torch, '__version__', '2.4.0')
    words = 'an export needs PyTorch 2.9 or later, this is 2.4.0'
    _fails([str(tmp_path / 'a.onnx')], exit_codes.USAGE, words, caplog, tmp_path)
