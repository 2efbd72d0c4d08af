// The server's streams without any SDK: fetch, and the frames as they are.
import assert from 'node:assert/strict';

import { API_KEY, BASE_URL } from './client.mjs';

const HEADERS = { Authorization: `Bearer ${API_KEY}` };

/** GET a path of the API. */
export function get(path, { headers = {}, signal } = {}) {
  return fetch(`${BASE_URL}${path}`, { headers: { ...HEADERS, ...headers }, signal });
}

/** The frames of a stream, as they arrive: `{id, event, data}`; lines of comment are left out. */
export async function* frames(response) {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  let rest = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split('\n\n');
    rest = parts.pop();
    for (const part of parts) {
      const lines = part.split('\n').filter((line) => !line.startsWith(':'));
      if (lines.length) yield Object.fromEntries(lines.map((line) => line.split(/: (.*)/s, 2)));
    }
  }
  assert.match(rest, /^(:.*\n)*$/, 'the stream ends in the middle of a frame');
}

/** The path of a run's stream. */
export const pathOf = ({ thread_id, id }, query = '') =>
  `/threads/${thread_id}/runs/${id}/stream${query}`;

/** The events of a run by its stream, until it rests: `{id, event, data}`, ids as numbers. */
export async function attach(run, { query, ...options } = {}) {
  const found = [];
  for await (const frame of frames(await get(pathOf(run, query), options))) found.push(frame);
  const done = found.pop();
  assert.deepEqual(done, { event: 'done', data: '[DONE]' });
  return found.map(({ id, event, data }) => ({ id: Number(id), event, data: JSON.parse(data) }));
}
