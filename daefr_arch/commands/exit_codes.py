"""What the command's exit code says."""

OK, FAILED, USAGE, PARTIAL, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143

EXIT_CODES = (
    'exit codes: 0 done; 1 failed; 2 wrong arguments; 3 done, but some of the inputs failed; 130 interrupted; '
    '143 terminated'
)
