// Which photos there are, and what the server says of them. Who draws them subscribes with `onChange`.

import * as server from './server.js';

const BUSY_MS = 350;
const IDLE_MS = 4000;
const KEPT = 'daefr-photos';

const find = id => document.getElementById(id);

export const state = {
  limits: {max_bytes: Infinity, keep_minutes: 60, realesrgan: false, extensions: []},
  photos: new Map(), // id -> job, or a file that was refused: {id, name, state: 'failed', error, isRefused}
  shown: null, // the id of the photo that is shown large
  looked: null, // the face of it that is shown larger still
};

export const isBusy = job => job.state === 'waiting' || job.state === 'working';
export const ids = () => [...state.photos.values()].filter(job => !job.isRefused).map(job => job.id);
export const current = () => state.photos.get(state.shown) ?? null;

let draw = () => {};
export function onChange(callback) {
  draw = callback;
}

export function say(text) {
  find('status').textContent = text;
}

// --- what lasts: a reload, or another window, finds the same photos

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(ids()));
  } catch { /* private windows may forbid it: then a reload begins anew */ }
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

// --- talking to the server

let timer = null;
let asking = false;
const removed = new Set();

export async function refresh() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    const asked = [...new Set([...ids(), ...kept()])];
    const found = asked.length ? await server.jobs(asked) : [];
    find('banner').hidden = true;
    const gone = new Set(asked);
    for (const job of found) {
      gone.delete(job.id);
      take(job);
    }
    for (const id of gone) state.photos.delete(id);
    if (gone.size) {
      if ([...gone].some(id => !removed.has(id))) say(`Photos are deleted after ${inWords(state.limits.keep_minutes)}.`);
      keep();
    }
  } catch (error) {
    complain(error);
  }
  asking = false;
  draw();
  timer = setTimeout(refresh, [...state.photos.values()].some(isBusy) ? BUSY_MS : IDLE_MS);
}

export const inWords = minutes => minutes >= 1 ? `${Math.round(minutes)} minutes` : `${Math.round(60 * minutes)} seconds`;
export function take(job) {
  if (!removed.has(job.id)) state.photos.set(job.id, job);
}

export function complain(error) {
  if (error.status === 404) return; // removed meanwhile, perhaps in another window
  find('banner').textContent = error.status
    ? error.message
    : 'The program that restores the photos does not answer. If it was stopped, start it again and open the address that it prints.';
  find('banner').hidden = false;
}

export async function attempt(action) {
  try {
    const job = await action();
    if (job) take(job);
  } catch (error) {
    complain(error);
  }
  draw();
  refresh();
}

export function change(id, settings) {
  const job = state.photos.get(id);
  state.photos.set(id, {...job, settings: {...job.settings, ...settings}, state: 'working'}); // shown before it is answered
  attempt(() => server.change(id, settings));
}

// --- photos come and go

export function taken(job) {
  take(job);
  state.shown ??= job.id;
  keep();
  draw();
  refresh();
}

export function refused(name, error) {
  const id = `refused-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  state.photos.set(id, {id, name, error, state: 'failed', isRefused: true, faces: [], warnings: []});
  state.shown ??= id;
  say(`${name}: ${error}`);
  draw();
}

export function select(id) {
  state.shown = id;
  state.looked = null;
  draw();
}

export function forget(gone) {
  const all = [...state.photos.keys()];
  const next = all.indexOf(state.shown);
  for (const id of gone) {
    removed.add(id);
    const job = state.photos.get(id);
    state.photos.delete(id);
    if (!job.isRefused) server.remove(id).catch(complain);
  }
  if (!state.photos.has(state.shown)) {
    select(all.slice(next).find(id => state.photos.has(id)) ?? [...state.photos.keys()].pop() ?? null);
  }
  keep();
  draw();
}
