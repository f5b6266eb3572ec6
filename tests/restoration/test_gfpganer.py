"""A script written for GFPGANer runs with the class swapped."""

import inspect
import json
import subprocess
import sys
import textwrap

import cv2
import pytest

from daefr_arch import DAEFRRestorer, checkpoints
from tests.faces.photos import astronaut

# what scripts around GFPGANer do: options by keyword, photos by cv2, strips of crop and face, the weight of the command
SCRIPT = """
    import glob
    import os
    import sys
    import cv2
    import numpy as np
    from {module} import {name} as GFPGANer

    model_path, folder = sys.argv[1:]
    restorer = GFPGANer(
        model_path=model_path, upscale=2, arch='clean', channel_multiplier=2, bg_upsampler=None, device=None)
    for path in sorted(glob.glob(os.path.join(folder, '*.png'))):
        img = cv2.imread(path, cv2.IMREAD_COLOR)
        cropped_faces, restored_faces, restored_img = restorer.enhance(
            img, has_aligned=False, only_center_face=False, paste_back=True, weight=0.5)
        for number, (cropped, restored) in enumerate(zip(cropped_faces, restored_faces)):
            cv2.imwrite(os.path.join(folder, f'cmp_{{number:02d}}.jpg'), np.concatenate((cropped, restored), axis=1))
        cv2.imwrite(os.path.join(folder, 'restored.jpg'), restored_img)
"""
SIGNATURES = """
    import inspect
    import json
    import daefr_arch  # repairs what GFPGAN needs of torchvision
    from gfpgan import GFPGANer
    for function in (GFPGANer.__init__, GFPGANer.enhance):
        print(json.dumps(list(inspect.signature(function).parameters)[1:]))
"""


def _run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(code), *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_script_for_gfpganer_runs_with_the_class_swapped(tmp_path):
    photo = cv2.GaussianBlur(astronaut()[:300, :400], (0, 0), 2)
    cv2.imwrite(str(tmp_path / 'photo.png'), photo)
    _run(
        SCRIPT.format(module='daefr_arch', name='DAEFRRestorer'),
        str(checkpoints.find(checkpoints.DEFAULT_MODEL)),
        str(tmp_path),
    )
    restored = cv2.imread(str(tmp_path / 'restored.jpg'))
    assert restored.shape == (600, 800, 3)
    plain = cv2.resize(photo, (800, 600), interpolation=cv2.INTER_LANCZOS4)
    assert cv2.absdiff(restored, plain).max() > 40
    strip = cv2.imread(str(tmp_path / 'cmp_00.jpg'))
    assert strip.shape[1] == 2 * strip.shape[0]


def test_the_signature_holds_gfpganers():
    constructor, enhance = (json.loads(line) for line in _run(SIGNATURES).splitlines())
    ours = list(inspect.signature(DAEFRRestorer.__init__).parameters)[1:]
    assert ours[: len(constructor)] == ['model', *constructor[1:]]
    assert constructor[0] == 'model_path' in ours
    assert list(inspect.signature(DAEFRRestorer.enhance).parameters)[1:] == enhance


def test_by_position_as_there():
    restorer = DAEFRRestorer('daefr-lite', 1, 'clean', 2, None, None)
    assert restorer.upscale == 1
    assert restorer.device.type in ('cpu', 'cuda', 'mps')
    with pytest.raises(TypeError):
        DAEFRRestorer('daefr-lite', 1, 'clean', 2, None, None, 'fp32')
