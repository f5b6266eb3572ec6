"""Which tests share a process."""

from xdist.scheduler import LoadFileScheduling

# what their session fixtures train is used by several files
TOGETHER = ('tests/ablation/',)


class Scheduling(LoadFileScheduling):
    """A file's tests go to one process, and those of a folder whose fixtures are dear."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))
