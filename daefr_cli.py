"""The console command's entry. `daefr --help` must not wait for torch and basicsr, which `import daefr_arch` loads."""

import os
import sys


def main(*command: str) -> int:
    """Runs `daefr` with `command` and the arguments of the process; returns the exit code."""
    os.environ['DAEFR_DEFER_REGISTRATION'] = '1'  # read, and removed, by daefr_arch/__init__.py
    try:
        from daefr_arch.commands.cli import main as run

        return run([*command, *sys.argv[1:]])
    except KeyboardInterrupt:
        sys.stderr.write('daefr: interrupted\n')
        return 130


if __name__ == '__main__':
    sys.exit(main())
