// The page: photos come in, and one is shown large.

import * as compare from './compare.js';
import * as faces from './faces.js';
import * as list from './list.js';
import * as panel from './panel.js';
import * as photos from './photos.js';
import * as sending from './sending.js';
import * as server from './server.js';

const {setText, stateWords} = list;
const {say, state} = photos;
const find = id => document.getElementById(id);

// --- photos come in

function add(files) {
  if (!files.length) {
    say('There is no photo in it.');
    return;
  }
  sending.send(files, {maxBytes: state.limits.max_bytes, taken: photos.taken, refused: photos.refused});
  say(files.length === 1 ? '1 photo is being sent.' : `${files.length} photos are being sent.`);
  draw();
}

for (const button of document.querySelectorAll('[data-choose]')) {
  button.addEventListener('click', () => find(`choose-${button.dataset.choose}`).click());
}
find('choose-photos').addEventListener('change', event => {
  add([...event.target.files]);
  event.target.value = '';
});
find('choose-folder').addEventListener('change', event => {
  add(sending.inFolder(event.target.files, state.limits.extensions));
  event.target.value = '';
});
document.addEventListener('paste', event => {
  const files = [...event.clipboardData.files];
  if (files.length) add(files);
});
for (const name of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  document.addEventListener(name, event => {
    if (![...event.dataTransfer.types].includes('Files')) return;
    event.preventDefault();
    const isOver = name === 'dragenter' || name === 'dragover' || (name === 'dragleave' && event.relatedTarget !== null);
    document.body.classList.toggle('dropping', isOver);
  });
}
document.addEventListener('drop', async event => {
  add(await sending.dropped(event.dataTransfer, state.limits.extensions));
});
window.addEventListener('beforeunload', event => {
  if (sending.unsent()) event.preventDefault(); // what is not sent yet would be lost
});
window.addEventListener('storage', photos.refresh);

// --- the photo that is shown

function message(job) {
  if (job.state === 'failed') return [plainly(job.error), true];
  if (job.notice) return [job.notice, false];
  if (job.state === 'done' && !job.faces.length) {
    return ['No face was found, so the photo was only enlarged. If there is one, press “Add a face” and click on it.', false];
  }
  return [job.warnings.join(' '), false];
}

// the first sentence is for everybody, the rest is what the program said
function plainly(error) {
  if (/not an image|truncated|damaged|unsupported|empty/i.test(error)) return `This file is not a photo, or it is damaged. (${error})`;
  if (/out of memory|allocate/i.test(error)) return `There was not enough memory for this photo. Try a smaller size. (${error})`;
  return error[0].toUpperCase() + error.slice(1);
}

function drawPhoto(job) {
  setText(find('name'), job.name);
  setText(find('progress'), photos.isBusy(job) ? `${stateWords(job)} …` : job.state === 'done' ? 'done' : '');
  if (list.hasPicture(job)) {
    if (!job.faces[state.looked]?.box) state.looked = null;
    compare.show({
      name: job.name,
      beforeAddress: server.picture(job, 'before', job.version ? state.looked : null),
      afterAddress: job.version ? server.picture(job, 'after', state.looked) : null,
    });
  } else {
    compare.hide();
  }
  find('pending').hidden = !photos.isBusy(job);
  find('whole').hidden = state.looked === null;
  find('add-face').disabled = !job.version || state.looked !== null || job.settings?.has_aligned;
  setText(find('add-face'), faces.isPointing() ? 'Click on the face …' : 'Add a face');
  const [text, isBad] = message(job);
  setText(find('message'), text);
  find('message').hidden = !text;
  find('message').classList.toggle('bad', isBad);
  faces.show(job, {looked: state.looked, toggle: index => toggleFace(job.id, index), look});
}

function look(index) {
  state.looked = index;
  draw();
}

function toggleFace(id, index) {
  const leftOut = new Set(state.photos.get(id).settings.left_out);
  if (!leftOut.delete(index)) leftOut.add(index);
  photos.change(id, {left_out: [...leftOut].sort((a, b) => a - b)});
}

find('show-boxes').addEventListener('change', event => find('compare').classList.toggle('no-boxes', !event.target.checked));
find('whole').addEventListener('click', () => look(null));
find('add-face').addEventListener('click', () => {
  if (faces.isPointing()) {
    faces.stopPointing();
  } else {
    const job = photos.current();
    faces.point((x, y) => photos.attempt(() => server.addFace(job.id, x * job.width, y * job.height)));
    say('Click on the face, or move the circle with the arrow keys and press Enter.');
  }
  draw();
});

let drawn = null;
function draw() {
  if (!state.photos.has(state.shown)) state.shown = state.photos.keys().next().value ?? null;
  const job = photos.current();
  if (state.shown !== drawn) faces.stopPointing();
  drawn = state.shown;
  find('welcome').hidden = job !== null;
  find('work').hidden = find('footer').hidden = job === null;
  list.draw();
  if (job === null) return;
  drawPhoto(job);
  panel.draw(job);
}

async function begin() {
  try {
    state.limits = await server.limits();
    find('privacy').textContent = `Your photos stay on this computer and are deleted after ${photos.inWords(state.limits.keep_minutes)}.`;
    find('bg_upsampler').options[1].disabled = !state.limits.realesrgan;
    if (!state.limits.realesrgan) find('bg_upsampler').options[1].textContent += ': not set up';
  } catch (error) {
    photos.complain(error);
  }
  photos.refresh();
}

photos.onChange(draw);
begin();
