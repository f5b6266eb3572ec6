// What the page asks the server. Addresses are relative: the token is the first part of the page's own.

export class Refusal extends Error {
  constructor(status, words, seconds) {
    super(words);
    this.status = status;
    this.seconds = seconds;
  }
}

async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  if (!answer.ok) {
    let words = `The server said ${answer.status}.`;
    try {
      words = (await answer.json()).error;
    } catch { /* not in words */ }
    throw new Refusal(answer.status, words, Number(answer.headers.get('retry-after')) || 0);
  }
  return answer.status === 204 ? null : answer.json();
}

function asJson(method, value) {
  return {method, body: JSON.stringify(value), headers: {'content-type': 'application/json'}};
}

const JOBS_A_QUESTION = 500;

export const limits = () => ask('api/limits');
export const change = (id, settings) => ask(`api/jobs/${id}`, asJson('PATCH', settings));
export const addFace = (id, x, y) => ask(`api/jobs/${id}/faces`, asJson('POST', {x, y}));
export const remove = id => ask(`api/jobs/${id}`, {method: 'DELETE'});
export const resultAddress = id => `api/jobs/${id}/result`;

export async function jobs(ids) {
  const found = [];
  for (let start = 0; start < ids.length; start += JOBS_A_QUESTION) {
    found.push(...(await ask(`api/jobs?ids=${ids.slice(start, start + JOBS_A_QUESTION).join()}`)).jobs);
  }
  return found;
}

export function send(file) {
  const form = new FormData();
  form.append('file', file, file.name || 'pasted.png');
  return ask('api/restore', {method: 'POST', body: form});
}

// a newer version is another address: what the browser holds of an older one is never shown
export function picture(job, kind, face = null) {
  const query = [face === null ? '' : `face=${face}`, kind === 'after' ? `v=${job.version}` : ''].filter(Boolean).join('&');
  return `api/jobs/${job.id}/${kind}.jpg${query && '?'}${query}`;
}
