"""Trains and measures the rows of a table, one after another; what is finished is never done again."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daefr_arch.ablation.face_pairs import FacePairs, find_face_pairs, read_face
from daefr_arch.ablation.row_network import check_row, face_size, load_row_network, restore_faces
from daefr_arch.ablation.row_record import (
    CHECKPOINTS,
    RowRecord,
    check_record,
    metric_protocols,
    read_record,
    write_record,
)
from daefr_arch.ablation.table import Table, TableRow
from daefr_arch.ablation.table_config import INPUT, STRIPS, TRUTH, Row, TableConfig
from daefr_arch.ablation.training import Training, plan_trainings, read_training, run_training
from daefr_arch.errors import InputError, UsageError
from daefr_arch.evaluation.evaluator import Evaluator
from daefr_arch.io.atomic_file import make_folder, write_bytes
from daefr_arch.io.contact_sheet import contact_sheet
from daefr_arch.io.file_hash import file_sha256
from daefr_arch.io.image_file import write_image
from daefr_arch.io.progress import ProgressBar

_logger = logging.getLogger(__name__)

Checkpoints = Mapping[str, Sequence[Path]]  # stem of an option file -> checkpoints of its networks, in their order


@dataclass
class Ablation:
    """A table in an output folder. Making one checks everything that can be checked before the first training.

    Args:
        config: the table.
        output: gets `input/`, `ground_truth/`, a folder a row with its restored faces and its record, `strips/`,
            `table.md` and `table.csv`.
        evaluator: measures the rows.
        checkpoints: finished networks to take instead of training them.
        forced: KEY:KEY=VALUE for the option files, as BasicSR's --force_yml.
        device: of the restoration.
        strips: of how many faces to draw strips, the first by name; None: of all.

    Raises:
        InputError, UsageError, WeightsError: a file, folder or option is wrong, or a row was finished with others.
    """

    config: TableConfig
    output: Path
    evaluator: Evaluator
    checkpoints: Checkpoints = field(default_factory=dict)
    forced: Sequence[str] = ()
    device: str = 'auto'
    strips: int | None = None

    def __post_init__(self) -> None:
        files = dict.fromkeys((*self.config.stages, *(row.options for row in self.config.rows)))
        self.trainings = {file: read_training(file, self.forced) for file in files}
        for row in self.config.rows:
            check_row(row, self._training(row))
        self._check_checkpoints()
        self.pairs = self._find_pairs()
        self._test_set = self.pairs.fingerprint()
        self._protocols = metric_protocols(self.evaluator.metrics, self.evaluator.missing)
        unfinished = [row for row in self.config.rows if self._finished(row.name, self._fingerprint(row)) is None]
        self._finished(INPUT, self._fingerprint(None))
        wanted = [self._training(row) for row in unfinished if self._needs_training(row)]
        self._check_experiments(wanted, plan_trainings(wanted, tuple(self.trainings.values())))

    def run(self) -> Table:
        """Does what is left to do, writes the tables and the strips, and returns the table.

        It can be interrupted at any time and called again.
        """
        rows = [TableRow(INPUT, 'the degraded faces', self._measure_input().metrics, self.config.paper_input)]
        for row in self.config.rows:
            record = self._finished(row.name, self._fingerprint(row)) or self._do_row(row)
            source = ', '.join(map(str, self._checkpoints(row).values()))
            rows.append(TableRow(row.name, row.what, record.metrics, row.paper, source))
        size = self.pairs.face_size
        faces = f'{len(self.pairs.files)} faces of {size}x{size} pixels: {self.config.lq}, {self.config.gt}'
        table = Table(self.config.title, faces, tuple(rows))
        write_bytes(self.output / 'table.md', table.to_markdown().encode())
        write_bytes(self.output / 'table.csv', table.to_csv().encode())
        self._draw_strips()
        return table

    def _training(self, row: Row) -> Training:
        return self.trainings[row.options]

    def _needs_training(self, row: Row) -> bool:
        return self._training(row).stem not in self.checkpoints

    def _checkpoints(self, row: Row) -> dict[str, Path]:
        """Label -> file of the row's networks, whether they are there yet or not."""
        training = self._training(row)
        if self._needs_training(row):
            return training.checkpoints
        return dict(zip(training.labels, self.checkpoints[training.stem], strict=True))

    def _check_checkpoints(self) -> None:
        """What --checkpoint names."""
        by_stem = {self._training(row).stem: self._training(row) for row in self.config.rows}
        for stem, files in self.checkpoints.items():
            if stem not in by_stem:
                raise UsageError(f'--checkpoint: expected one of {", ".join(by_stem)}, got {stem!r}')
            labels = by_stem[stem].labels
            if len(files) != len(labels):
                expected = ','.join(f'{label.upper()}_FILE' for label in labels) if len(labels) > 1 else 'FILE'
                raise UsageError(f'--checkpoint {stem}: expected {stem}={expected}, got {len(files)} files')
            for file in files:
                if not file.is_file():
                    raise UsageError(f'--checkpoint {stem}: no file at {file}')

    def _find_pairs(self) -> FacePairs:
        sizes = {row.options.name: face_size(self._training(row)) for row in self.config.rows}
        if len(set(sizes.values())) > 1:
            raise InputError(f'{self.config.file}: rows: expected networks of one resolution, got {sizes}')
        return find_face_pairs(self.config.lq, self.config.gt, next(iter(sizes.values())))

    def _check_experiments(self, wanted: Sequence[Training], plan: Sequence[Training]) -> None:
        """Experiments that are there must have been trained with the options of now; of stages it is only said."""
        starts = {file for training in plan for file in training.starts_from.values()}
        for training in self.trainings.values():
            is_stage = training not in wanted
            used = training in wanted or training in plan or not starts.isdisjoint(training.written)
            difference = training.difference() if used and (training.finished or training.begun) else None
            if not difference:
                continue
            message = f'{training.experiment} was trained with other options than {training.file}: {difference}'
            if not is_stage:
                raise InputError(
                    f'{message}; remove the folder to train again, or take it as it is: --checkpoint '
                    f'{training.stem}={",".join(map(str, training.checkpoints.values()))}'
                )
            _logger.warning('%s; it is used as it is', message)

    def _fingerprint(self, row: Row | None) -> dict[str, Any]:
        """Of a row, or of the input; without `checkpoints` where these are not there."""
        fingerprint: dict[str, Any] = {'test_set': self._test_set, 'metrics': self._protocols}
        if row is None:
            return fingerprint
        fingerprint |= {'row': {'path': row.path, 's_lq': row.s_lq}, 'options': dict(self._training(row).options)}
        files = self._checkpoints(row)
        if all(file.is_file() for file in files.values()):
            fingerprint[CHECKPOINTS] = {label: file_sha256(file) for label, file in files.items()}
        return fingerprint

    def _finished(self, name: str, fingerprint: Mapping[str, Any]) -> RowRecord | None:
        """The record of a finished row, if it was finished with what is at hand now."""
        record = read_record(self.output / name)
        if record is not None:
            check_record(self.output / name, record, fingerprint)
        return record

    def _measure_input(self) -> RowRecord:
        record = self._finished(INPUT, self._fingerprint(None))
        if record is None:
            self.pairs.write(self.output)
            record = self._measure(INPUT, self._fingerprint(None))
        return record

    def _do_row(self, row: Row) -> RowRecord:
        if self._needs_training(row):
            for training in plan_trainings([self._training(row)], tuple(self.trainings.values())):
                _logger.info('training %s', training.file)
                run_training(training)
        network = load_row_network(row, self._training(row), self._checkpoints(row))
        restore_faces(row, network, self.output, self.pairs.files, self.device)
        return self._measure(row.name, self._fingerprint(row))

    def _measure(self, name: str, fingerprint: Mapping[str, Any]) -> RowRecord:
        report = self.evaluator.run(self.output / name, self.output / TRUTH, progress=True)
        return write_record(self.output / name, fingerprint, report)

    def _draw_strips(self) -> None:
        make_folder(self.output / STRIPS)
        titles = {INPUT: 'input', **{row.name: row.name for row in self.config.rows}, TRUTH: 'ground truth'}
        texts = {row.name: row.what for row in self.config.rows}
        for name in ProgressBar([*self.pairs.files][: self.strips], desc=STRIPS, unit='face'):
            faces = [read_face(self.output, row, name) for row in titles]
            strip = contact_sheet([faces], [*titles.values()], texts=[texts.get(row, '') for row in titles])
            write_image(self.output / STRIPS / f'{name}.png', strip)
