"""The console command's entry. `daefr --help` must not wait for torch and basicsr, which `import daefr_arch` loads."""

import importlib.util
import sys
from collections.abc import Callable


def main(*command: str) -> int:
    """Runs `daefr` with `command` and the arguments of the process; returns the exit code.

    The package is created first and executed, which registers everything, only after the arguments were parsed: help
    and wrong arguments end before.
    """
    try:
        load = create_package()
        from daefr_arch.commands import cli

        return cli.main([*command, *sys.argv[1:]], load=load)
    except KeyboardInterrupt:
        sys.stderr.write('daefr: interrupted\n')
        return 130


def create_package() -> Callable[[], None]:
    """Puts the package into sys.modules without executing it, unless it is there; returns what executes it."""
    if 'daefr_arch' in sys.modules:
        return lambda: None
    spec = importlib.util.find_spec('daefr_arch')
    assert spec is not None
    loader = spec.loader
    assert loader is not None
    package = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    return lambda: loader.exec_module(package)


if __name__ == '__main__':
    sys.exit(main())
