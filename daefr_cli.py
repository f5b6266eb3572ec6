"""The console command's entry. `daefr --help` must not wait for torch and basicsr, which `import daefr_arch` loads."""

import importlib.util
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `daefr` with these arguments, those of the process if None; returns the exit code.

    The package is created first and executed, which registers everything, only after the arguments were parsed: help
    and wrong arguments end before.
    """
    if 'daefr_arch' in sys.modules:
        from daefr_arch.commands import cli

        return cli.main(arguments)
    spec = importlib.util.find_spec('daefr_arch')
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    from daefr_arch.commands import cli

    args = cli.parse(arguments)
    spec.loader.exec_module(package)
    return cli.run(args)


if __name__ == '__main__':
    sys.exit(main())
