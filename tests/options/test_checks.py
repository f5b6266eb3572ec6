import pytest

from daefr_arch.errors import InputError
from daefr_arch.options.checks import check_keys


def test_valid_keys_pass():
    check_keys({'gt_size': 512, 'seed': 0}, ('seed', 'gt_size', 'use_hflip'), where='datasets.train')
    check_keys((), (), where='empty')


@pytest.mark.parametrize(('typo', 'meant'), [('gt_sizes', 'gt_size'), ('use_flip', 'use_hflip'), ('Seed', 'seed')])
def test_unknown_key_names_the_place_and_the_nearest_key(typo, meant):
    with pytest.raises(InputError, match=f"datasets.train: unknown option '{typo}'; did you mean '{meant}'"):
        check_keys({typo: 1}, ('seed', 'gt_size', 'use_hflip'), where='datasets.train')
