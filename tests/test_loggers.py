"""One convention: a module's logger is `_logger`, called like the module.

What BasicSR's trainer calls (models, losses, datasets) says it to BasicSR's logger instead: that alone reaches the
run's log file, also under BasicSR's own `train.py`.
"""

import ast
from pathlib import Path

import daefr_arch

PACKAGE = Path(daefr_arch.__file__).parent
IN_THE_TRAINER = ('models', 'losses', 'data')
STAGE_CHECKPOINT = PACKAGE / 'checkpoints/stage_checkpoint.py'  # what a stage starts from


def test_loggers():
    found = {}
    for module in PACKAGE.rglob('*.py'):
        source = module.read_text(encoding='utf-8')
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and 'getLogger' in ast.unparse(node.value):
                room = module.relative_to(PACKAGE).parts[0]
                in_the_trainer = room in IN_THE_TRAINER or module == STAGE_CHECKPOINT
                named = "logging.getLogger('basicsr')" if in_the_trainer else 'logging.getLogger(__name__)'
                assert ast.unparse(node) == f'_logger = {named}', module
                assert source.count('_logger.') > 0, f'{module}: its logger is never used'
                found.setdefault(room, []).append(module)
    assert found.keys() > {*IN_THE_TRAINER, 'commands', 'runtime'}
