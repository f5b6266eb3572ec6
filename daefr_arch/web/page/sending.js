// From dropped, chosen and pasted files to jobs: a few at a time, and again where the server has no room yet.

import * as server from './server.js';

const AT_ONCE = 3;

const waiting = [];
let sending = 0;

export const unsent = () => waiting.length + sending;

// taken: called with the job. refused: called with the file's name and why in words.
export function send(files, {taken, refused, maxBytes}) {
  waiting.push(...files.map(file => ({file, taken, refused, maxBytes})));
  while (sending < AT_ONCE && waiting.length) sendNext();
}

export function forgetUnsent() {
  waiting.length = 0;
}

async function sendNext() {
  sending += 1;
  while (waiting.length) {
    const {file, taken, refused, maxBytes} = waiting.shift();
    try {
      if (file.size > maxBytes) {
        throw new Error(`The file is larger than ${Math.round(maxBytes / 1e6)} MB, the most that can be sent here.`);
      }
      taken(await sendPatiently(file));
    } catch (error) {
      refused(file.name || 'pasted.png', error instanceof TypeError ? 'The file could not be sent: is the program still running?' : error.message);
    }
  }
  sending -= 1;
}

async function sendPatiently(file) {
  for (;;) {
    try {
      return await server.send(file);
    } catch (error) {
      if (error.status !== 429) throw error;
      await new Promise(resolve => setTimeout(resolve, 1000 * (error.seconds || 2)));
    }
  }
}

// the photos of a folder and of the folders in it; other files that lie there are nobody's wish
export function inFolder(files, extensions) {
  return [...files].filter(({name}) => !name.startsWith('.') && extensions.some(end => name.toLowerCase().endsWith(end)));
}

// what was dropped: files as they are, folders by what is in them
export async function dropped(transfer, extensions) {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  for (const entry of entries) {
    const files = await filesOf(entry);
    found.push(...(entry.isDirectory ? inFolder(files, extensions) : files));
  }
  return found;
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a reader tells a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) found.push(...await filesOf(one));
  }
}
