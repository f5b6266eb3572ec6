from pathlib import Path

import pytest

from daefr_arch.data.image_folder import find_images
from daefr_arch.errors import InputError


def test_finds_nested_images_of_any_name(tmp_path):
    for name in ('b.PNG', 'a/ß x.jpg', 'a/c/1.2.webp', '.hidden.png', '.cache/d.png', 'notes.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(tmp_path) == [Path('a/c/1.2.webp'), Path('a/ß x.jpg'), Path('b.PNG')]


def test_missing_or_empty_folders_are_errors(tmp_path):
    with pytest.raises(InputError, match='no such folder'):
        find_images(tmp_path / 'missing')
    with pytest.raises(InputError, match='no image'):
        find_images(tmp_path)
