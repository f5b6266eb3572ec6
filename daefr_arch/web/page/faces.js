// The faces of the photo that is shown: boxes on it, a list beside it, and pointing at one that was not found.

import * as server from './server.js';

const STATUS = {
  kept: 'clear already, left as it is',
  repaired: 'repaired',
  guessed: 'mostly a guess: the photo shows too little',
  failed: 'could not be restored',
};
const STEP = 2; // percent of the photo that an arrow key moves the crosshair
const area = document.getElementById('compare');
const [boxes, list, crosshair] = ['boxes', 'faces', 'crosshair'].map(id => document.getElementById(id));

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const label = (face, index) => `Face ${index + 1}: ${face.left_out ? 'left as it is' : STATUS[face.status] ?? 'found'}`;

// toggle(index): leaves a face out, or takes it in again. look(index): shows it large, or the whole photo again.
export function show(job, {looked, toggle, look}) {
  const drawn = JSON.stringify([job.id, job.version, job.faces, job.width, looked]);
  if (list.dataset.drawn === drawn) return;
  const focused = document.activeElement?.dataset?.key;
  list.dataset.drawn = drawn;
  boxes.replaceChildren(...(looked === null ? job.faces.map((face, index) => box(job, face, index, toggle)) : []).filter(Boolean));
  list.replaceChildren(...job.faces.map((face, index) => item(job, face, index, looked === index, toggle, look)));
  if (!job.faces.length) list.append(element('li', {className: 'quiet', textContent: job.state === 'waiting' || job.version === 0 ? 'Not searched yet.' : 'None found.'}));
  if (focused) document.querySelector(`[data-key="${focused}"]`)?.focus();
}

function box(job, face, index, toggle) {
  if (!face.box) return null;
  const [x0, y0, x1, y1] = face.box;
  const node = element('button', {type: 'button', className: 'box'}, element('span', {textContent: index + 1}));
  const place = {'--x': x0 / job.width, '--y': y0 / job.height, '--w': (x1 - x0) / job.width, '--h': (y1 - y0) / job.height};
  for (const [name, share] of Object.entries(place)) node.style.setProperty(name, `${100 * share}%`);
  node.dataset.key = `box${index}`;
  node.setAttribute('aria-pressed', !face.left_out);
  node.setAttribute('aria-label', `Restore face ${index + 1}`);
  node.title = `${label(face, index)}. Click to ${face.left_out ? 'restore it' : 'leave it as it is'}.`;
  node.addEventListener('click', () => toggle(index));
  return node;
}

function item(job, face, index, isLooked, toggle, look) {
  const check = element('input', {type: 'checkbox', checked: !face.left_out});
  check.dataset.key = `check${index}`;
  check.setAttribute('aria-label', `Restore face ${index + 1}`);
  check.addEventListener('change', () => toggle(index));
  const words = element('span', {}, `Face ${index + 1}`, element('small', {textContent: face.left_out ? 'left as it is' : STATUS[face.status] ?? ''}));
  const parts = [element('label', {className: 'switch'}, check, words)];
  if (face.box && job.version) {
    const image = element('img', {src: server.picture(job, face.left_out ? 'before' : 'after', index), alt: '', loading: 'lazy'});
    const button = element('button', {type: 'button', className: 'look', title: 'Show this face large'}, image);
    button.dataset.key = `look${index}`;
    button.setAttribute('aria-label', `Show face ${index + 1} large`);
    button.setAttribute('aria-pressed', isLooked);
    button.addEventListener('click', () => look(isLooked ? null : index));
    parts.unshift(button);
  } else {
    parts.unshift(element('span'));
  }
  return element('li', {className: 'face'}, ...parts);
}

// pointing at a face; chosen(x, y) gets shares of the photo
let place = [50, 50];
let chosen = null;

export function point(callback) {
  chosen = callback;
  area.classList.add('pointing');
  crosshair.hidden = false;
  moveCrosshair(50, 50);
  crosshair.focus({preventScroll: true});
}

export function stopPointing() {
  chosen = null;
  area.classList.remove('pointing');
  crosshair.hidden = true;
}

export const isPointing = () => chosen !== null;

function moveCrosshair(x, y) {
  place = [x, y].map(at => Math.max(0, Math.min(99.9, at)));
  crosshair.style.setProperty('--px', `${place[0]}%`);
  crosshair.style.setProperty('--py', `${place[1]}%`);
}

function choose() {
  const callback = chosen;
  stopPointing();
  callback(place[0] / 100, place[1] / 100);
}

function follow(event) {
  const {left, top, width, height} = area.getBoundingClientRect();
  moveCrosshair(100 * (event.clientX - left) / width, 100 * (event.clientY - top) / height);
}

area.addEventListener('pointermove', event => {
  if (isPointing()) follow(event);
});
area.addEventListener('click', event => {
  if (!isPointing() || event.target === crosshair) return;
  follow(event);
  choose();
});
crosshair.addEventListener('keydown', event => {
  const step = {ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP]}[event.key];
  if (step) {
    event.preventDefault();
    moveCrosshair(place[0] + step[0], place[1] + step[1]);
  } else if (event.key === 'Enter' || event.key === ' ') {
    event.preventDefault();
    choose();
  } else if (event.key === 'Escape') {
    stopPointing();
  }
});
