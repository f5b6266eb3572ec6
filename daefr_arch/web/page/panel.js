// What is chosen for the photo that is shown, and its result.

import * as sending from './sending.js';
import * as server from './server.js';
import {setText} from './list.js';
import {change, complain, current, forget, ids, isBusy, refresh, say, state, take} from './photos.js';

const SETTLE_MS = 150; // after the last move of a control
const find = id => document.getElementById(id);

export function draw(job) {
  drawSettings(job);
  drawDownloads(job);
}

const unsettled = new Map();
function changeSoon(name, value) {
  const id = state.shown;
  clearTimeout(unsettled.get(name));
  unsettled.set(name, setTimeout(() => {
    unsettled.delete(name);
    change(id, {[name]: value});
  }, SETTLE_MS));
}

function drawSettings(job) {
  const settings = job.settings;
  find('settings').inert = !settings;
  if (!settings) return;
  if (!unsettled.has('weight')) {
    find('automatic').checked = settings.weight === null;
    if (settings.weight !== null) find('weight').value = settings.weight;
  }
  for (const name of ['upscale', 'bg_upsampler', 'ext']) {
    if (!unsettled.has(name)) find(name).value = settings[name];
  }
  const scale = Number(find('upscale').value);
  setText(find('size'), `${scale === 1 ? 'as the photo' : `${scale} times`}${job.width ? `: ${Math.round(job.width * scale)} × ${Math.round(job.height * scale)} pixels` : ''}`);
}

find('settings').addEventListener('submit', event => event.preventDefault());
find('automatic').addEventListener('change', event => changeSoon('weight', event.target.checked ? null : Number(find('weight').value)));
find('weight').addEventListener('input', event => {
  find('automatic').checked = false;
  changeSoon('weight', Number(event.target.value));
});
find('upscale').addEventListener('input', event => {
  changeSoon('upscale', Number(event.target.value));
  drawSettings(current());
});
for (const name of ['bg_upsampler', 'ext']) {
  find(name).addEventListener('change', event => changeSoon(name, event.target.value));
}
find('to-all').addEventListener('click', async () => {
  const {weight, upscale, bg_upsampler, ext} = current().settings;
  await Promise.all(ids().filter(id => id !== state.shown).map(id => server.change(id, {weight, upscale, bg_upsampler, ext}).then(take, complain)));
  say('All photos get these settings.');
  refresh();
});

find('remove').addEventListener('click', () => forget([state.shown]));
find('remove-all').addEventListener('click', () => {
  sending.forgetUnsent();
  forget([...state.photos.keys()]);
  find('welcome').querySelector('button').focus();
});
find('zip').addEventListener('submit', () => {
  find('ids').value = ids().join();
});

function drawDownloads(job) {
  const link = find('download');
  link.setAttribute('aria-disabled', !job.result);
  if (job.result) {
    link.href = server.resultAddress(job.id);
    link.download = job.result.name;
  } else {
    link.removeAttribute('href');
  }
  find('to-all').disabled = job.isRefused || state.photos.size < 2;
  find('remove').textContent = isBusy(job) ? 'Cancel and remove this photo' : 'Remove this photo';
  const all = [...state.photos.values()];
  const done = all.filter(one => one.result).length;
  find('download-all').disabled = !done;
  const failed = all.filter(one => one.state === 'failed').length;
  const unsent = sending.unsent();
  setText(find('summary'), [`${done} of ${all.length + unsent} done`, failed && `${failed} failed`, unsent && `${unsent} being sent`].filter(Boolean).join(', '));
}
