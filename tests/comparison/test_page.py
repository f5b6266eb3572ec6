"""The page by its structure on every machine, and in Chromium where there is one (apt install chromium-driver)."""

import base64
import json
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from daefr_arch.comparison.comparison import ComparedMethod, Comparison
from daefr_arch.comparison.cost import Cost
from daefr_arch.comparison.face_set import FaceSet, FacesOfPhoto
from daefr_arch.comparison.page import render_page
from daefr_arch.evaluation.report import ImageRow, MetricSummary, Report
from tests.browser import chromium, has_browser
from tests.faces.photos import astronaut, grace_hopper

NAMES = ('</script><b>', 'b', 'c')
PSNR = {'input': (20.0, 22.0, 21.0), 'ours': (25.0, 23.0, float('inf')), 'theirs': (24.0, 26.0, 22.5)}


class Faces(FaceSet):
    """Images from memory: a blur of its own for every method."""

    def read(self, method, name):
        face = (astronaut()[40:220, 140:320], grace_hopper()[60:360, 100:400], astronaut()[:300, :300])
        sigma = {'input': 6, 'ours': 2, 'theirs': 3, 'ground_truth': 0.1}[method]
        return cv2.GaussianBlur(cv2.resize(face[NAMES.index(name)], (256, 256)), (0, 0), sigma)


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    faces = Faces(tmp_path_factory.mktemp('page'), 256, True, [FacesOfPhoto(None, NAMES)])
    methods = []
    for name, values in PSNR.items():
        psnr = MetricSummary('psnr', 'PSNR [dB] ↑', 'RGB', lower_is_better=False, mean=float(np.mean(values)))
        fid = MetricSummary('fid', 'FID', '', lower_is_better=True, missing='inception.pth is not there')
        rows = tuple(ImageRow(face, {'psnr': value}) for face, value in zip(NAMES, values, strict=True))
        cost = Cost() if name == 'input' else Cost((0.1, 0.2, 0.3), 5_000_000)
        methods.append(ComparedMethod(name, f'about {name}', cost, Report((psnr, fid), rows)))
    picture = faces.evidence_map('ours', 'b')
    picture.parent.mkdir(parents=True)
    cv2.imwrite(str(picture), np.full((256, 256, 3), (200, 150, 40), np.uint8))
    path = faces.root / 'compare.html'
    path.write_text(render_page(Comparison(faces, tuple(methods), 'cpu')), encoding='utf-8')
    return path


class Collector(HTMLParser):
    """Elements, links to elsewhere, and the text of the data element."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.data, self.inside = set(), [], '', False

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get('id'))
        self.links += [value for key, value in attributes.items() if key in ('src', 'href', 'action')]
        self.inside = attributes.get('id') == 'data'

    def handle_data(self, data):
        if self.inside:
            self.data += data

    def handle_endtag(self, tag):
        self.inside = False


def test_page_is_self_contained_and_complete(page):
    text = page.read_text(encoding='utf-8')
    parsed = Collector()
    parsed.feed(text)
    assert not parsed.links
    assert '://' not in text.replace(parsed.data, '')
    assert {'methods', 'faces', 'left', 'right', 'zoom', 'data'} <= parsed.ids
    data = json.loads(parsed.data)
    assert [face['name'] for face in data['faces']] == sorted(NAMES)
    assert data['columns'] == ['input', 'ours', 'theirs', 'ground_truth']
    assert data['faces'][2]['values']['ours']['psnr'] == 'Infinity'
    for face in data['faces']:
        for column in data['columns']:
            kind, _, encoded = face['images'][column].partition(',')
            assert kind == 'data:image/jpeg;base64'
            image = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
            expected = Faces(page.parent, 256, True).read(column, face['name'])
            assert np.abs(image.astype(int) - expected).mean() < 2  # BGR and RGB are not swapped


@pytest.fixture(scope='module')
def browser(page, tmp_path_factory):
    with chromium(tmp_path_factory.mktemp('browser')) as driver:
        driver.get(page.as_uri())
        yield driver


def column(browser, table, index):
    return browser.execute_script(
        'const rows = [...document.querySelector(arguments[0]).tBodies[0].rows];'
        'return rows.map(row => row.cells[arguments[1]].innerText)',
        table,
        index,
    )


def test_page_in_the_browser(page, request):
    if not has_browser():
        return
    browser = request.getfixturevalue('browser')
    assert column(browser, '#methods', 0) == ['input', 'ours', 'theirs']
    assert column(browser, '#methods', 2) == ['missing'] * 3
    check_slider(browser)
    check_sorting(browser)
    check_zoom(browser)
    check_evidence(browser)
    browser.save_screenshot(str(page.with_suffix('.png')))
    assert browser.get_log('browser') == []


def check_evidence(browser):
    """Pictures of evidence take the place of the faces that have them, and give it back."""
    browser.execute_script("document.querySelector('#evidence input').click()")
    shown = browser.execute_script(
        "return [...document.querySelectorAll('#faces img')].filter("
        'image => data.faces.some(face => Object.values(face.evidence).includes(image.src))).map(image => image.alt)'
    )
    assert set(shown) == {'b, ours'}
    browser.execute_script("document.querySelector('#evidence input').click()")
    assert not browser.execute_script('return document.querySelector("#evidence").hidden')


def check_slider(browser):
    """The arrow key moves the handle, and the right image begins where the handle is."""
    from selenium.webdriver.common.keys import Keys

    slider = browser.find_element('css selector', '.slider')
    image = slider.find_element('css selector', '.after')
    assert image.value_of_css_property('clip-path') == 'inset(0px 0px 0px 50%)'
    slider.find_element('tag name', 'input').send_keys(*[Keys.ARROW_RIGHT] * 20)
    assert image.value_of_css_property('clip-path') == 'inset(0px 0px 0px 70%)'
    assert image.get_attribute('alt') == f'{sorted(NAMES)[0]}, ours'


def check_sorting(browser):
    """A column sorts up, then down; infinite values are numbers; another method's metrics can be shown."""
    header = browser.find_elements('css selector', '#faces thead button')[1]
    assert header.text == 'PSNR [dB] ↑'
    header.click()
    assert column(browser, '#faces', 6) == ['23.0000', '25.0000', '∞']
    assert column(browser, '#faces', 0) == ['b', '</script><b>', 'c']
    browser.find_elements('css selector', '#faces thead button')[1].click()
    assert column(browser, '#faces', 6) == ['∞', '25.0000', '23.0000']
    browser.find_element('css selector', '#right option[value=theirs]').click()
    assert column(browser, '#faces', 6) == ['24.0000', '26.0000', '22.5000']
    browser.find_elements('css selector', '#methods thead button')[1].click()
    assert column(browser, '#methods', 0) == ['input', 'theirs', 'ours']


def check_zoom(browser):
    """A click enlarges an image; an arrow key changes its method; a click closes."""
    from selenium.webdriver.common.keys import Keys

    browser.find_elements('css selector', '#faces tbody td:nth-child(3) img')[1].click()
    dialog = browser.find_element('id', 'zoom')
    assert dialog.text == 'b: input'
    assert dialog.find_element('tag name', 'img').size['height'] > 800
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert dialog.text == 'b: ours'
    dialog.find_element('tag name', 'img').click()
    assert dialog.get_attribute('open') is None
