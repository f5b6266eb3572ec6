"""The same as `daefr compare`."""

import sys

from daefr_cli import main

if __name__ == '__main__':
    sys.exit(main('compare'))
