"""The same as `daefr evaluate`."""

import sys

from daefr_cli import main

if __name__ == '__main__':
    sys.exit(main('evaluate'))
