// Before on the left of a handle, after on the right: moved by mouse, finger or arrow keys.

const CLICK = 4; // pixels that a click may move
const area = document.getElementById('compare');
const [before, after, split] = ['before', 'after', 'split'].map(id => document.getElementById(id));

function moveTo(percent) {
  split.value = Math.max(0, Math.min(100, percent));
  area.style.setProperty('--split', `${split.value}%`);
}

function follow(event) {
  const {left, width} = area.getBoundingClientRect();
  moveTo(100 * (event.clientX - left) / width);
}

split.addEventListener('input', () => moveTo(Number(split.value)));

function start(event) {
  split.focus({preventScroll: true, focusVisible: false});
  area.setPointerCapture(event.pointerId);
  area.classList.add('sliding');
  follow(event);
}

// on a box it is a click, unless it moves
let pressed = null;
area.addEventListener('pointerdown', event => {
  if (event.button !== 0 || area.classList.contains('pointing') || area.classList.contains('single')) return;
  event.preventDefault();
  if (event.target.closest('.box')) pressed = event.clientX;
  else start(event);
});
area.addEventListener('pointermove', event => {
  if (!event.buttons) pressed = null; // it was let go elsewhere
  if (area.classList.contains('sliding')) follow(event);
  else if (pressed !== null && Math.abs(event.clientX - pressed) > CLICK) start(event);
});
for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) {
  area.addEventListener(end, event => {
    if (end === 'lostpointercapture' && event.target !== area) return; // a box gave a finger over to the area
    pressed = null;
    area.classList.remove('sliding');
  });
}

// afterAddress: null while there is only the photo
export function show({name, beforeAddress, afterAddress}) {
  area.hidden = false;
  area.classList.toggle('single', !afterAddress);
  exchange(before, beforeAddress, `${name}, before`);
  if (afterAddress) exchange(after, afterAddress, `${name}, after`);
  after.hidden = !afterAddress;
  split.disabled = !afterAddress;
}

export function hide() {
  area.hidden = true;
}

// the old picture stays until the new one is there
const newest = new WeakMap();
async function exchange(image, address, words) {
  image.alt = words;
  if (newest.get(image) === address) return;
  const isOther = newest.get(image)?.split('?')[0] !== address.split('?')[0];
  newest.set(image, address);
  if (isOther) image.removeAttribute('src');
  const loaded = new Image();
  loaded.src = address;
  try {
    await loaded.decode();
  } catch { /* replaced meanwhile: the next answer of the server names its successor */ }
  if (newest.get(image) !== address) return;
  image.src = address;
  if (image === before && loaded.naturalHeight) area.style.setProperty('--ratio', loaded.naturalWidth / loaded.naturalHeight);
}
