import re

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_relative_links_resolve(page):
    for link in links(page):
        if re.match(r'https?://', link):
            continue
        file, _, anchor = link.partition('#')
        target = (page.parent / file).resolve() if file else page
        assert target.is_file(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def test_readme_is_two_screens_with_a_picture():
    lines = (ROOT / 'README.md').read_text(encoding='utf-8').splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 120
    picture = next(line for line in lines[1:] if line)
    assert picture.startswith('![')
    assert (ROOT / picture.partition('](')[2].rstrip(')')).stat().st_size < 400_000


def test_files_of_the_repository_that_pages_name_exist():
    """Such as `weights/README.md` or `daefr_arch/compat.py`, and, on the map, files of the package."""
    for page in PAGES:
        text = page.read_text(encoding='utf-8')
        for file in re.findall(r'`((?:daefr_arch|tests|weights|docs)/[a-z_/.\d]+)`', text):
            assert (ROOT / file).exists(), f'{name(page)}: {file}'
    rooms = (ROOT / 'docs/where-things-are.md').read_text(encoding='utf-8')
    named = re.findall(r'`([a-z]\w*/[a-z_\d]+\.\w+)`', rooms)
    assert len(named) > 20
    for file in named:
        assert (ROOT / 'daefr_arch' / file).exists() or (ROOT / file).exists(), file
    for room in re.findall(r'^\| .*?\|', rooms, re.MULTILINE):
        for folder in re.findall(r'`([a-z]+)/`', room):
            assert (ROOT / 'daefr_arch' / folder).is_dir(), folder
    packages = {path.parent.name for path in (ROOT / 'daefr_arch').glob('*/__init__.py')}
    assert packages <= set(re.findall(r'`([a-z]+)/`', rooms)), 'a room is not on the map'
