"""The same as `daefr restore`."""

import sys

from daefr_cli import main

if __name__ == '__main__':
    sys.exit(main('restore'))
