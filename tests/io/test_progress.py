import io

import pytest

from daefr_arch.io.progress import ProgressBar


@pytest.mark.parametrize(('unit', 'words'), [('photo', 'photos'), ('batch', 'batches'), ('degrees', 'degrees')])
def test_the_count_is_in_words(unit, words):
    bar = ProgressBar(total=10, unit=unit, desc='e', file=io.StringIO())
    bar.update(3)
    assert bar.count() == f'3 of 10 {words} (e)'
    bar.close()
