"""The films of the page, in Chromium: two players in step, one clipped by the slider."""

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from daefr_arch.comparison import page_films
from daefr_arch.comparison.comparison import ComparedMethod, Comparison
from daefr_arch.comparison.cost import Cost
from daefr_arch.comparison.face_set import FaceSet, FacesOfPhoto
from daefr_arch.comparison.films import ComparedFilm
from daefr_arch.comparison.page import render_page
from daefr_arch.comparison.steadiness_meter import Steadiness
from daefr_arch.evaluation.report import ImageRow, MetricSummary, Report
from tests.browser import chromium, has_browser
from tests.video.films import write_film

NAME = '<b id=evil>film.mp4'
STEP = 0.04  # seconds of a frame
PATIENCE = 30


class GreyFaces(FaceSet):
    def read(self, method, name):
        return np.full((64, 64, 3), 128, np.uint8)


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp('page')
    made = {name: write_film(root / f'{name}.mp4', 50, rate=Fraction(25)) for name in ('input', 'ours', 'theirs')}
    steadiness = {'input': Steadiness(1.5, 1.0, None), 'ours': Steadiness(0.75, 0.5, 2.25)}
    film = ComparedFilm(root / NAME, made, steadiness)
    psnr = MetricSummary('psnr', 'PSNR [dB] ↑', 'RGB', lower_is_better=False, mean=20.0)
    report = Report((psnr,), (ImageRow('face', {'psnr': 20.0}),))
    methods = [ComparedMethod(name, name, Cost(), report) for name in (*made, 'elsewhere')]
    faces = GreyFaces(root, 64, True, [FacesOfPhoto(None, ('face',))])
    path = root / 'compare.html'
    comparison = Comparison(faces, tuple(methods), 'cpu', (film, replace(film, source=root / 'second.mp4')))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_films, 'make_clip', _broken_for_theirs(page_films.make_clip))
        path.write_text(render_page(comparison), encoding='utf-8')
    return path


def _broken_for_theirs(make_clip):
    def make(film, seconds):
        clip = make_clip(film, seconds)
        return replace(clip, data=clip.data[:100]) if film.stem == 'theirs' else clip

    return make


class Films:
    """What somebody does with the page's films."""

    def __init__(self, driver):
        self.driver = driver

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector):
        return self.driver.find_element('css selector', selector)

    def until(self, condition):
        end = time.monotonic() + PATIENCE
        while not self.run(f'return {condition}'):
            assert time.monotonic() < end, f'never: {condition}'
            time.sleep(0.02)

    def choose(self, left, right):
        for box, method in (('left', left), ('right', right)):
            self.find(f'#{box} option[value={method}]').click()

    def times(self):
        return self.run('return [...document.querySelector(".film").querySelectorAll("video")].map(v => v.currentTime)')

    def ready(self):
        self.until('filmRows[0].running.every(player => player.readyState >= 3 && !player.seeking)')


def test_films_in_the_browser(page, tmp_path):
    if not has_browser():
        return
    with chromium(tmp_path, size=(1280, 1000)) as driver:
        driver.get(page.as_uri())
        films = Films(driver)
        assert films.run('return document.querySelectorAll(".film").length') == 2
        assert films.find('.film h3').text == NAME
        films.ready()
        check_slider(films)
        check_in_step(films)
        check_keys(films)
        check_loop(films)
        check_accessible(films)
        check_narrow(films)
        assert driver.get_log('browser') == []
        check_words(films)


def check_slider(films):
    """The arrow key moves the handle, and the right film begins where it is; it lies upon the left one."""
    from selenium.webdriver.common.keys import Keys

    after = films.find('.film video.after')
    assert after.value_of_css_property('clip-path') == 'inset(0px 0px 0px 50%)'
    films.find('.film .slider input').send_keys(*[Keys.ARROW_LEFT] * 20)
    assert after.value_of_css_property('clip-path') == 'inset(0px 0px 0px 30%)'
    assert after.rect == films.find('.film video').rect
    assert after.rect['width'] > 200


def check_in_step(films):
    """Both play, jump together, and stay within 50 ms of each other; a film that lags catches up."""
    films.run('filmRows[0].seek(0.5)')
    films.ready()
    assert films.times() == pytest.approx([0.5, 0.5], abs=0.001)
    button = films.find('.film button:not(th button)')
    assert button.text == 'Play'
    button.click()
    films.until('filmRows[0].time > 0.7')
    first, second = films.times()
    assert abs(first - second) < 0.05
    films.run('filmRows[0].players[1].currentTime = filmRows[0].time - 0.15')
    films.until(
        '!filmRows[0].players[1].seeking && Math.abs(filmRows[0].time - filmRows[0].players[1].currentTime) < 0.02'
    )
    films.run('filmRows[0].bar.value = 0.2; filmRows[0].bar.dispatchEvent(new Event("input"))')
    films.until('filmRows[0].running.every(player => !player.seeking) && filmRows[0].time > 0.4')
    first, second = films.times()
    assert abs(first - second) < 0.05
    films.run('filmRows[1].setPlaying(true)')
    assert films.run('return filmRows.map(row => row.playing)') == [False, True]
    films.run('filmRows[1].setPlaying(false)')
    films.until('filmRows[0].players.every(player => player.paused && !player.seeking)')
    first, second = films.times()
    assert first == pytest.approx(second, abs=0.001)


def check_keys(films):
    """Arrow keys step by a frame, space plays and pauses."""
    from selenium.webdriver.common.keys import Keys

    films.run('filmRows[0].seek(1)')
    films.ready()
    stage = films.find('.film .stage')
    stage.send_keys(Keys.ARROW_RIGHT)
    films.ready()
    assert films.times() == pytest.approx([1 + STEP, 1 + STEP], abs=0.001)
    assert films.find('.film .clock input').get_attribute('aria-valuetext') == '1.0 of 2.0 seconds'
    stage.send_keys(Keys.SPACE)
    films.until('filmRows[0].time > 1.2')
    assert films.find('.film .clock button').get_attribute('aria-label') == f'Pause {NAME}'
    stage.send_keys(Keys.SPACE)
    assert films.run('return filmRows[0].playing') is False


def check_loop(films):
    """At the end both begin again, together."""
    films.run('filmRows[0].seek(1.8); filmRows[0].setPlaying(true)')
    films.until('filmRows[0].time > 0.2 && filmRows[0].time < 1')
    films.until('filmRows[0].players.every(player => !player.paused && !player.seeking)')
    first, second = films.times()
    assert abs(first - second) < 0.05
    films.run('filmRows[0].setPlaying(false)')


def check_accessible(films):
    """No rule of axe-core is violated."""
    import axe_core_python

    films.run(Path(axe_core_python.__file__).with_name('axe.min.js').read_text(encoding='utf-8'))
    found = films.driver.execute_async_script(
        'const done = arguments[0]; axe.run().then(result => done(result.violations.map('
        'one => [one.id, one.nodes.map(node => node.html)])))'
    )
    assert found == []


def check_narrow(films):
    """At 360 pixels nothing reaches beyond the screen but tables, which scroll by themselves."""
    size = {'width': 360, 'height': 800, 'deviceScaleFactor': 1, 'mobile': False}
    films.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)
    assert films.run('return document.documentElement.scrollWidth') <= 360
    films.driver.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def check_words(films):
    """A method without a film, and one whose film does not play, are said so; the other one still plays."""
    films.choose('ground_truth', 'ours')
    films.until('filmRows[0].message.textContent === "ground_truth: no such film"')
    films.ready()
    films.run('filmRows[0].setPlaying(true)')
    films.until('filmRows[0].time > 0.1')
    films.run('filmRows[0].setPlaying(false)')
    films.choose('input', 'theirs')
    films.until('filmRows[0].message.textContent.includes("this browser does not play it (H.264 in mp4)")')
    assert films.find('.film [role=status]').text.endswith('the whole film is theirs.mp4')
    films.choose('input', 'elsewhere')
    films.until('filmRows[0].message.textContent === "elsewhere: no such film"')
    rows = films.run(
        'const rows = [...document.querySelector(".film table").tBodies[0].rows];'
        'return rows.map(row => [...row.cells].map(cell => cell.textContent))'
    )
    assert rows[1] == ['ours', '0.750', '0.500', '2.250', 'ours.mp4']
    assert rows[2][1:4] == ['\N{EN DASH}'] * 3
