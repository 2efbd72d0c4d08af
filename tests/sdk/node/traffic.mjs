// The calls that leave this process, seen from outside the SDKs: 4.x speaks through node:http, the
// newer ages through the built-in fetch, and nothing about their clients is changed for this.
import diagnostics from 'node:diagnostics_channel';

const calls = [];
const note = ({ request }) => calls.push({ method: request.method, path: request.path });
diagnostics.subscribe('undici:request:create', note);
diagnostics.subscribe('http.client.request.start', note);

/** What `work` returns, the calls it made that match, and the milliseconds it took. */
export async function watched(method, path, work) {
  const before = calls.length;
  const started = performance.now();
  const result = await work();
  const milliseconds = Math.round(performance.now() - started);
  const matches = (call) => method.test(call.method) && path.test(call.path);
  return { result, calls: calls.slice(before).filter(matches), milliseconds };
}

/** Retrieving a run, as the polling helpers do. */
export const RETRIEVE = /\/runs\/run_\w+$/;
