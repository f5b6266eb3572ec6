"""What stands in a file's place where a server or a clone did not give the file itself."""

from pathlib import Path


def kind_of_page(path: str | Path) -> str | None:
    """What a file is that often stands in a weight file's place, in words; None if it is none of these."""
    try:
        with Path(path).open('rb') as stream:
            head = stream.read(512)
    except OSError:
        return None
    if not head:
        return 'the file is empty'
    if is_page(head):
        return 'it is a web page: download the file itself'
    if head.startswith(b'version https://git-lfs'):
        return 'it is the pointer of Git LFS to a file that was not fetched: `git lfs pull`'
    return None


def is_page(head: bytes) -> bool:
    """Whether a file that begins so is a page of HTML or XML."""
    start = head.removeprefix(b'\xef\xbb\xbf').lstrip()[:14].lower()
    return start.startswith((b'<!doctype html', b'<html', b'<head', b'<?xml', b'<!--'))
