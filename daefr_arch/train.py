"""`python -m daefr_arch.train -opt FILE`, as torchrun starts it, is `daefr train -opt FILE`."""

import sys

from daefr_arch.commands.cli import main

if __name__ == '__main__':
    sys.exit(main(['train', *sys.argv[1:]]))
