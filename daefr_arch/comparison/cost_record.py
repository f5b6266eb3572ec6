"""A method's costs in a file, a line a face as it is done: an interrupted comparison goes on behind the last one."""

from pathlib import Path

from daefr_arch.comparison.cost import Cost
from daefr_arch.io.json_lines import JsonLinesWriter, read_json_lines

FILE = 'cost.jsonl'


class CostRecord:
    """Seconds by face, and, once all faces are done, what the network is and its peak memory. `folder`: the method's.

    Peak memory of a method that was interrupted is that of its last part, loading included.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.seconds: dict[str, float] = {}
        self.description: str | None = None
        self.peak_bytes: int | None = None
        for line in read_json_lines(self.path):
            self._take(line)

    def add(self, face: str, seconds: float) -> None:
        """Notes a face whose result is written."""
        self._write({'face': face, 'seconds': seconds})

    def finish(self, description: str, peak_bytes: int | None) -> None:
        """Notes that all faces are done."""
        self._write({'description': description, 'peak_bytes': peak_bytes})

    def cost(self, faces: list[str]) -> Cost:
        """The cost of these faces, which all have their seconds."""
        return Cost(tuple(self.seconds[face] for face in faces), self.peak_bytes)

    def _write(self, line: dict) -> None:
        with JsonLinesWriter(self.path) as lines:
            lines.write(line)
        self._take(line)

    def _take(self, line: dict) -> None:
        if 'face' in line:
            self.seconds[line['face']] = line['seconds']
        else:
            self.description, self.peak_bytes = line['description'], line['peak_bytes']
