// Attaching to runs by plain fetch: from the start, past any event, through a pause, again and
// again while the run goes on.
import assert from 'node:assert/strict';

import {
  by, collect, follow, last, names, outputs, prepare, runs, words,
} from '../client.mjs';
import { callTurn, OPENING, RESUMED, textTurn } from '../expected.mjs';
import { attach, frames, get, pathOf } from '../plain.mjs';
import { scenario } from '../registry.mjs';

const plain = (events) => events.map(({ event, data }) => ({ event, data }));

scenario('attach: an ended run, past each of its events', async () => {
  const { assistant_id, thread_id } = await prepare('text-4');
  const seen = await follow(runs.stream(thread_id, { assistant_id }));
  const log = await attach(seen.run);
  assert.deepEqual(plain(log), seen.events);
  for (const [i, { id }] of log.entries()) {
    if (i) assert.ok(id > log[i - 1].id);
    const rest = log.slice(i + 1);
    assert.deepEqual(await attach(seen.run, { headers: { 'Last-Event-ID': String(id) } }), rest);
    assert.deepEqual(await attach(seen.run, { query: `?after=${id}` }), rest);
  }
  const beyond = { 'Last-Event-ID': String(log.at(-1).id + 5000) };
  assert.deepEqual(await attach(seen.run, { headers: beyond }), []);
});

scenario('attach: many readers of a run at work', async () => {
  const { assistant_id, thread_id } = await prepare('text-40x20');
  const attached = [];
  const events = await collect(
    await runs.create(thread_id, { assistant_id, stream: true }),
    ({ event, data }, all) => {
      if (event === 'thread.run.created') attached.push(attach(data));
      if (event === 'thread.message.delta' && all.length % 8 === 0) {
        attached.push(attach(all[0].data));
      }
    },
  );
  assert.ok(attached.length > 3);
  for (const found of await Promise.all(attached)) assert.deepEqual(plain(found), events);
});

scenario('attach: a reader that loses its connection misses nothing', async () => {
  const { assistant_id, thread_id } = await prepare('text-60x20');
  const run = await runs.create(thread_id, { assistant_id });
  const found = [];
  for (let done = false; !done; ) {
    const connection = new AbortController();
    const headers = found.length ? { 'Last-Event-ID': found.at(-1).id } : {};
    const answer = await get(pathOf(run), { headers, signal: connection.signal });
    let some = 0;
    for await (const frame of frames(answer)) {
      done = frame.event === 'done';
      if (!done) found.push(frame);
      if ((some += 1) === 9) break;
    }
    connection.abort();
  }
  assert.deepEqual(found.map(({ event }) => event), [
    ...OPENING, ...textTurn(60), 'thread.run.completed',
  ]);
  const read = found.map((frame) => ({
    ...frame,
    id: Number(frame.id),
    data: JSON.parse(frame.data),
  }));
  assert.deepEqual(read, await attach(run));
  assert.equal(last(read, 'thread.message.completed').content[0].text.value, words(60));
});

scenario('attach: through a pause', async () => {
  const { assistant_id, thread_id } = await prepare('tools-1-then-text-2', ['rain']);
  const run = await runs.create(thread_id, { assistant_id });
  const staying = attach(run, { query: '?follow=1' });
  const paused = await attach(run);
  const first = [...OPENING, ...callTurn(1), 'thread.run.requires_action'];
  assert.deepEqual(names(paused), first);
  const waiting = last(paused, 'thread.run.requires_action');
  assert.deepEqual(waiting, await by.retrieveRun(thread_id, run.id));
  const ended = await by.submitAndPoll(thread_id, run.id, { tool_outputs: outputs(waiting) });
  const whole = await attach(run);
  assert.deepEqual(names(whole), [...first, ...RESUMED, ...textTurn(2), 'thread.run.completed']);
  assert.deepEqual(whole.at(-1).data, ended);
  assert.deepEqual(await staying, whole);
});

scenario('attach: nothing to attach to', async () => {
  const { thread_id } = await prepare('text-1');
  const absent = { thread_id, id: `run_${'A'.repeat(24)}` };
  const answer = await get(pathOf(absent));
  assert.equal(answer.status, 404);
  const { error } = await answer.json();
  assert.equal(error.message, `No run found with id '${absent.id}'.`);
});
