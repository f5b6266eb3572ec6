"""A photo of a cut file is restored as far as it goes, and reported as damaged, not as a failure."""

import json
from collections import Counter

import cv2
import numpy as np
from skimage.data import astronaut

from daefr_arch.io.image_file import read_image
from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from tests.restoration.fake_restorer import FakeRestorer


def test_cut_files_are_restored_and_said_to_be_damaged(tmp_path):
    jpeg = cv2.imencode('.jpg', np.ascontiguousarray(astronaut()[40:200, 160:280, ::-1]))[1].tobytes()
    for name, length in (('whole.jpg', len(jpeg)), ('cut.jpg', len(jpeg) * 3 // 4), ('stump.jpg', len(jpeg) // 30)):
        (tmp_path / name).write_bytes(jpeg[:length])
    layout = OutputLayout(tmp_path / 'out')
    sources = [tmp_path / name for name in ('whole.jpg', 'cut.jpg', 'stump.jpg')]
    result = restore_photos(FakeRestorer(), sources, layout, report=layout.root / 'report.jsonl')
    assert result.counts == Counter(ok=1, damaged=1, error=1)
    _, cut, stump = (json.loads(line) for line in (layout.root / 'report.jsonl').read_text().splitlines())
    assert (cut['status'], cut['error'], len(cut['faces'])) == ('damaged', None, 2)
    assert 'of its rows are missing' in cut['warnings'][0]
    assert read_image(layout.root / 'final_results/cut.jpg').pixels.shape == (320, 240, 3)
    assert 'stump.jpg: truncated, damaged or unsupported image' in stump['error']
    assert stump['outputs'] == {}
