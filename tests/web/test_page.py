"""The page in a browser, as somebody uses it; `tests/browser.py` says what happens where there is none."""

import json
import threading
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from daefr_arch.restoration.output_layout import OutputLayout
from daefr_arch.restoration.photo_folder import restore_photos
from tests.browser import chromium, has_browser
from tests.faces.photos import astronaut
from tests.web.conftest import PATIENCE, FixedDetector, encoded, fast_restorer, serving

NAME = '<b id=evil>Fête.png'  # stays text


class Page:
    """What somebody does with the page."""

    def __init__(self, driver, server):
        self.driver = driver
        self.server = server

    def open(self):
        self.driver.get(self.server.url)
        self.until('document.querySelector("#privacy").textContent.includes("deleted after")')

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, condition, *arguments):
        end = time.monotonic() + PATIENCE
        while not (value := self.run(f'return {condition}', *arguments)):
            assert time.monotonic() < end, f'never: {condition}'
            time.sleep(0.02)
        return value

    def find(self, selector):
        return self.driver.find_element('css selector', selector)

    def text(self, selector):
        return self.run('return document.querySelector(arguments[0]).textContent', selector)

    def send(self, *paths):
        self.find('#choose-photos').send_keys('\n'.join(map(str, paths)))

    def settled(self, count):
        """Waits until so many photos are there, and all at rest."""
        self.until(
            '[...document.querySelectorAll(".photo")].filter(p => /done|failed/.test(p.className)).length === '
            'arguments[0] && document.querySelectorAll(".photo").length === arguments[0]',
            count,
        )

    def remade(self, action):
        """Waits until the result after the action is there, and its picture."""
        before = self.run('return document.querySelector("#after").src')
        action()
        self.until('document.querySelector("#after").src !== arguments[0]', before)
        self.settled(self.run('return document.querySelectorAll(".photo").length'))

    def downloaded(self, folder, name):
        end = time.monotonic() + PATIENCE
        while not (folder / name).exists():
            assert time.monotonic() < end, [path.name for path in folder.iterdir()]
            time.sleep(0.05)
        return folder / name

    def press(self, selector):
        """Clicks, once the page around it no longer moves: lines of words come and go above it."""
        place = None
        while place != (place := self.find(selector).rect):
            time.sleep(0.5)
        self.run('arguments[0].scrollIntoView({block: "center"})', self.find(selector))
        self.find(selector).click()

    def drag(self, share):
        """Takes the handle with the mouse to this share of the photo."""
        from selenium.webdriver import ActionChains

        area = self.find('#compare')
        width = area.size['width']
        ActionChains(self.driver).move_to_element_with_offset(
            area, 0, -area.size['height'] // 3
        ).click_and_hold().move_by_offset(round(width * (share - 0.5)), 0).release().perform()


@pytest.fixture(scope='module')
def restorer():
    return fast_restorer()


@pytest.fixture(scope='module')
def server(restorer):
    with serving(restorer) as client:
        yield client.server


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Photos of each kind, and what the browser downloads."""
    folder = tmp_path_factory.mktemp('photos')
    cv2.imwrite(str(folder / 'plain.png'), astronaut())
    (folder / 'plain.png').rename(folder / NAME)
    cv2.imwrite(str(folder / 'portrait.jpg'), astronaut())
    cv2.imwrite(str(folder / 'wall.jpg'), np.full((200, 300, 3), 140, np.uint8))
    (folder / 'letter.txt').write_text('Dear reader')
    return folder


@pytest.fixture(scope='module')
def page(server, folder):
    with chromium(folder, size=(1280, 900)) as driver:
        yield Page(driver, server)


def command_file(restorer, source, root, weight=None):
    layout = OutputLayout(root)
    restore_photos(restorer, [source], layout, report=root / 'report.jsonl', weight=weight)
    return layout.result(source)


def test_page_in_the_browser(request, folder, tmp_path, restorer, server):
    if not has_browser():
        return
    page = request.getfixturevalue('page')
    page.open()
    assert page.find('#welcome').is_displayed()
    check_accessible(page)
    check_upload(page, folder)
    check_slider(page)
    check_face(page)
    check_fidelity(page, restorer, folder, tmp_path)
    check_words(page, folder)
    check_reload(page)
    check_accessible(page)
    check_narrow_and_dark(page)
    check_zip(page, folder)
    check_two_windows(page, folder)
    check_removal(page, server)
    check_offline(page)
    assert [entry for entry in page.driver.get_log('browser') if entry['level'] != 'INFO'] == []


def check_upload(page, folder):
    """A file becomes a photo with its face, boxes and pictures; its name is only text."""
    page.send(folder / NAME)
    page.settled(1)
    assert page.text('#name') == NAME
    assert page.run('return document.querySelector("#evil")') is None
    page.until('document.querySelector("#after").naturalWidth === 1024')
    assert page.text('.photo .state') == '1 face'
    assert page.text('.face small') == 'mostly a guess: the photo shows too little'
    box = page.run('return document.querySelector(".box").getBoundingClientRect()')
    area = page.run('return document.querySelector("#compare").getBoundingClientRect()')
    assert (box['x'] - area['x']) / area['width'] == pytest.approx(180 / 512, abs=0.01)
    assert box['height'] / area['height'] == pytest.approx(120 / 512, abs=0.01)


def check_slider(page):
    """Mouse, touch and arrow keys move the handle, and the restored photo begins where it is."""
    from selenium.webdriver.common.keys import Keys

    def edge():
        return page.find('#after').value_of_css_property('clip-path')

    assert edge() == 'inset(0px 0px 0px 50%)'
    page.drag(0.8)
    assert edge() == 'inset(0px 0px 0px 80%)'
    page.find('#split').send_keys(*[Keys.ARROW_LEFT] * 30)
    assert edge() == 'inset(0px 0px 0px 50%)'
    area = page.run('return document.querySelector("#compare").getBoundingClientRect()')
    y = area['y'] + area['height'] / 8
    for kind, share in (('touchStart', 0.5), ('touchMove', 0.4), ('touchMove', 0.2), ('touchEnd', None)):
        points = [] if share is None else [{'x': area['x'] + share * area['width'], 'y': y}]
        page.driver.execute_cdp_cmd('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': points})
    assert edge() == 'inset(0px 0px 0px 20%)'


def check_face(page):
    """A face is switched off by its box and on by its tick; shown large and small again; one is looked for."""
    from selenium.webdriver import ActionChains

    box = page.find('.box')
    page.remade(box.click)
    assert page.find('.box').get_attribute('aria-pressed') == 'false'
    assert page.text('.face small') == 'left as it is'
    page.remade(page.find('.face input').click)
    assert page.find('.box').get_attribute('aria-pressed') == 'true'
    page.find('.face .look').click()
    page.until('document.querySelector("#before").src.includes("face=0")')
    page.until('document.querySelector("#compare").clientHeight === document.querySelector("#compare").clientWidth')
    assert not page.run('return document.querySelector(".box")')
    page.find('#whole').click()
    page.find('#add-face').click()
    area = page.find('#compare')
    ActionChains(page.driver).move_to_element_with_offset(area, area.size['width'] // 4, 100).click().perform()
    page.until('/No face was found there|found already/.test(document.querySelector("#message").textContent)')
    page.settled(1)


def check_fidelity(page, restorer, folder, tmp_path):
    """The strength changes the result at once, without the network; what is downloaded is the command's file."""
    passes = len(restorer.network.network.batches)
    page.remade(
        lambda: page.run(
            'const w = document.querySelector("#weight"); w.value = 0.75; w.dispatchEvent(new Event("input"))'
        )
    )
    assert not page.find('#automatic').is_selected()
    assert len(restorer.network.network.batches) == passes
    assert page.find('#download').get_attribute('download') == NAME
    page.press('#download')
    expected = command_file(restorer, folder / NAME, tmp_path, weight=0.75)
    saved = page.downloaded(folder, NAME.translate({ord(char): '_' for char in '<>'}))  # as Chromium saves it
    assert saved.read_bytes() == expected.read_bytes()
    page.remade(page.find('#automatic').click)
    page.remade(
        lambda: page.run(
            'const u = document.querySelector("#upscale"); u.value = 1; u.dispatchEvent(new Event("input"))'
        )
    )
    assert page.text('#size') == 'as the photo: 512 \N{MULTIPLICATION SIGN} 512 pixels'


def check_words(page, folder):
    """What is no photo, holds no face, or is too large is said so in words."""
    page.send(folder / 'letter.txt', folder / 'wall.jpg', folder / 'portrait.jpg')
    page.settled(4)
    states = dict(zip(page.run(names('.title')), page.run(names('.state')), strict=True))
    assert states == {NAME: '1 face', 'letter.txt': 'failed', 'wall.jpg': 'no face found', 'portrait.jpg': '1 face'}
    page.run('[...document.querySelectorAll(".photo")].find(p => p.textContent.includes("letter")).click()')
    assert page.text('#message').startswith('This file is not a photo, or it is damaged.')
    page.run('[...document.querySelectorAll(".photo")].find(p => p.textContent.includes("wall")).click()')
    assert page.text('#message').startswith('No face was found, so the photo was only enlarged.')
    assert page.text('#summary') == '3 of 4 done, 1 failed'


def names(selector):
    return f'return [...document.querySelectorAll(".photo {selector}")].map(node => node.textContent)'


def check_reload(page):
    """A reload finds the same photos, with what was chosen for them."""
    before = page.run(names('.title'))
    page.open()
    page.settled(4)
    assert sorted(page.run(names('.title'))) == sorted(before)
    page.run('[...document.querySelectorAll(".photo")].find(p => p.textContent.includes("evil")).click()')
    assert page.find('#upscale').get_attribute('value') == '1'


def check_accessible(page):
    """No rule of axe-core is violated, in light and in dark."""
    import axe_core_python

    page.run(Path(axe_core_python.__file__).with_name('axe.min.js').read_text(encoding='utf-8'))
    for scheme in ('light', 'dark'):
        emulate(page, scheme)
        found = page.driver.execute_async_script(
            'const done = arguments[0]; axe.run().then(result => done(result.violations.map('
            'one => [one.id, one.nodes.map(node => node.html)])))'
        )
        assert found == []


def emulate(page, scheme):
    features = [{'name': 'prefers-color-scheme', 'value': scheme}]
    page.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': features})


def check_narrow_and_dark(page):
    """At 360 pixels nothing reaches beyond the screen, and the colours are those of the system."""
    size = {'width': 360, 'height': 800, 'deviceScaleFactor': 1, 'mobile': False}
    page.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    backgrounds = set()
    for scheme in ('dark', 'light'):
        emulate(page, scheme)
        assert page.run('return document.documentElement.scrollWidth') <= 360
        beyond = page.run(
            'return [...document.querySelectorAll("button, input, select, a, h2")].filter(node => '
            '!node.closest("#list, .hidden") && node.offsetParent && node.getBoundingClientRect().right > 361)'
            '.map(node => node.outerHTML)'
        )
        assert beyond == []
        backgrounds.add(page.find('body').value_of_css_property('background-color'))
    assert len(backgrounds) == 2
    page.driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def check_zip(page, folder):
    """All results in one archive."""
    page.press('#download-all')
    with zipfile.ZipFile(page.downloaded(folder, 'restored.zip')) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted([NAME, 'wall.jpg', 'portrait.jpg'])


def check_two_windows(page, folder):
    """A second window shows the same photos, and one that is sent there comes here; each has its own settings."""
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window('window')
    page.open()
    page.settled(4)
    (folder / 'second.jpg').write_bytes(encoded(astronaut()[:, ::-1], '.jpg'))
    page.send(folder / 'second.jpg')
    page.settled(5)
    page.driver.close()
    page.driver.switch_to.window(first)
    page.settled(5)
    assert 'second.jpg' in page.run(names('.title'))


def check_removal(page, server):
    """What is removed is gone from the server too."""
    page.press('#remove')
    page.settled(4)
    page.press('#remove-all')
    page.until('!document.querySelector("#welcome").hidden')
    end = time.monotonic() + PATIENCE
    while [path for path in server.book.folder.iterdir() if path.is_dir()]:
        assert time.monotonic() < end
        time.sleep(0.02)


def check_offline(page):
    """Nothing but this server was ever asked."""
    events = [json.loads(entry['message'])['message'] for entry in page.driver.get_log('performance')]
    asked = {event['params']['request']['url'] for event in events if event['method'] == 'Network.requestWillBeSent'}
    asked = {url for url in asked if not url.startswith(('data:', 'chrome:'))}
    assert len(asked) > 10
    assert {url for url in asked if not url.startswith(page.server.url)} == set()


def test_cancelling_and_reloading_during_a_job(request, tmp_path):
    if not has_browser():
        return
    held, go = threading.Event(), threading.Event()

    class HeldDetector(FixedDetector):
        def detect(self, img):
            held.set()
            go.wait(PATIENCE)
            return super().detect(img)

    cv2.imwrite(str(tmp_path / 'a.png'), astronaut())
    cv2.imwrite(str(tmp_path / 'b.png'), astronaut()[:, ::-1])
    with serving(fast_restorer(detector=HeldDetector())) as client, chromium(tmp_path) as driver:
        page = Page(driver, client.server)
        page.open()
        page.send(tmp_path / 'a.png', tmp_path / 'b.png')
        assert held.wait(PATIENCE)
        page.until('document.querySelectorAll(".photo").length === 2')
        page.open()
        page.until('document.querySelectorAll(".photo").length === 2')
        page.until('document.querySelector("#remove").textContent === "Cancel and remove this photo"')
        name = page.text('#name')
        page.press('#remove')
        page.until('document.querySelectorAll(".photo").length === 1')
        go.set()
        page.settled(1)
        assert page.run(names('.title')) == [{'a.png': 'b.png', 'b.png': 'a.png'}[name]]
