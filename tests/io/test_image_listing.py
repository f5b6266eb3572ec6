from pathlib import Path

import pytest

from daefr_arch.errors import InputError
from daefr_arch.io.image_listing import list_images


def test_finds_nested_images_of_any_name(tmp_path):
    for name in ('b.PNG', 'a/ß x.jpg', 'a/c/1.2.webp', '.hidden.png', '.cache/d.png', 'notes.txt'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'a/back').symlink_to(tmp_path, target_is_directory=True)  # a link that leads back
    found = [path.relative_to(tmp_path) for path in list_images(tmp_path, recursive=True)]
    assert found == [Path('a/c/1.2.webp'), Path('a/ß x.jpg'), Path('b.PNG')]
    assert list_images(tmp_path) == [tmp_path / 'b.PNG']


def test_missing_or_empty_folders_are_errors(tmp_path):
    with pytest.raises(InputError, match='no image file, folder or pattern'):
        list_images(tmp_path / 'missing')
    with pytest.raises(InputError, match='no image'):
        list_images(tmp_path, recursive=True)
