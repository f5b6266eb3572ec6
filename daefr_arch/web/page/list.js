// The list of photos: a thumbnail, a name, and where each is.

import * as server from './server.js';
import {select, state} from './photos.js';

export function stateWords(job) {
  if (job.state === 'waiting') return 'waiting';
  if (job.state === 'working') return job.step === 'restoring faces' && job.faces_to_do > 1 ? `face ${job.faces_done} of ${job.faces_to_do}` : job.step;
  if (job.state === 'failed') return job.isRefused ? 'not taken' : 'failed';
  return job.faces.length === 0 ? 'no face found' : job.faces.length === 1 ? '1 face' : `${job.faces.length} faces`;
}

export function draw() {
  const list = document.getElementById('list');
  const items = new Map([...list.children].map(item => [item.dataset.id, item]));
  for (const [id, item] of items) if (!state.photos.has(id)) item.remove();
  for (const job of state.photos.values()) {
    let item = items.get(job.id);
    if (!item) {
      item = document.createElement('li');
      item.dataset.id = job.id;
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...['thumb', 'title', 'state'].map(name => Object.assign(document.createElement(name === 'thumb' ? 'img' : 'span'), {className: name})));
      button.querySelector('img').alt = '';
      button.addEventListener('click', () => select(job.id));
      item.append(button);
      list.append(item);
    }
    const button = item.firstElementChild;
    button.className = `photo ${job.state}`;
    button.setAttribute('aria-current', job.id === state.shown);
    setText(button.querySelector('.title'), job.name);
    setText(button.querySelector('.state'), stateWords(job));
    const image = button.querySelector('img');
    if (hasPicture(job) && !image.hasAttribute('src')) image.src = server.picture(job, 'thumbnail');
  }
}

export const hasPicture = job => !job.isRefused && (job.version > 0 || job.faces.length > 0);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
