import random

import numpy as np
import pytest
import torch

from daefr_arch.checkpoints import load_training_state, newest_state, remove_temporaries, save_durably
from daefr_arch.errors import TrainingError, WeightsError
from daefr_arch.models.loss_log import LossLog
from daefr_arch.models.random_states import get_random_states, set_random_states
from daefr_arch.models.validation import BestRecord


def _draw():
    return random.random(), np.random.rand(), torch.rand(3).tolist()  # noqa: NPY002


def test_random_states_survive_a_file_that_loads_with_weights_only(tmp_path):
    save_durably(get_random_states(), tmp_path / 'states.pth')
    expected = _draw()
    _draw()
    set_random_states(torch.load(tmp_path / 'states.pth', weights_only=True))
    assert _draw() == expected


def test_a_failed_save_leaves_the_old_file_and_nothing_half_written(tmp_path):
    path = tmp_path / 'net_g_1.pth'
    save_durably({'params': 1}, path)
    with pytest.raises(Exception, match='pickle'):
        save_durably({'params': lambda: None}, path)
    assert torch.load(path, weights_only=True) == {'params': 1}
    assert [file.name for file in tmp_path.iterdir()] == ['net_g_1.pth']


def test_newest_state_is_by_number_and_temporaries_do_not_count(tmp_path):
    assert newest_state(tmp_path / 'missing') is None
    for name in ('9.state', '10.state', '.daefr-ab.state', 'old.state'):
        (tmp_path / name).touch()
    assert newest_state(tmp_path) == tmp_path / '10.state'
    remove_temporaries(tmp_path)
    assert not (tmp_path / '.daefr-ab.state').exists()


def test_a_file_that_is_no_training_state_is_refused(tmp_path):
    with pytest.raises(WeightsError, match='does not exist'):
        load_training_state(tmp_path / '1.state')
    torch.save({'params': {}}, tmp_path / '2.state')
    with pytest.raises(WeightsError, match='not a training state'):
        load_training_state(tmp_path / '2.state')
    (tmp_path / '3.state').write_bytes(b'half')
    with pytest.raises(WeightsError, match='cannot be read'):
        load_training_state(tmp_path / '3.state')


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_loss_that_is_not_finite_names_iteration_loss_and_files(value):
    log = LossLog()
    log.record(6, {'l_pix': torch.tensor(1.0)}, ['fine.png'])
    log.record(7, {'l_pix': torch.tensor(0.5), 'l_code': torch.tensor(value)}, ['a.png', 'b.png'])
    with pytest.raises(TrainingError, match=r'iteration 7: l_code is (nan|inf).*a\.png, b\.png'):
        log.check()
    with pytest.raises(TrainingError, match='iteration 7'):  # the next step, too, meets it
        log.record(8, {'l_pix': torch.tensor(0.5)}, ['c.png'])


def test_best_record_follows_the_first_metric_of_the_first_dataset():
    options = {'lpips': {'better': 'lower'}, 'psnr': {}}
    best = BestRecord()
    assert not best.update('val', {}, None)
    assert best.update('val', {'lpips': 0.5, 'psnr': 20.0}, options)
    assert not best.update('val', {'lpips': 0.6, 'psnr': 30.0}, options)
    assert not best.update('other', {'lpips': 0.1, 'psnr': 30.0}, options)
    resumed = BestRecord()
    resumed.load_state_dict(best.state_dict())
    assert resumed.update('val', {'lpips': 0.4, 'psnr': 10.0}, options)
