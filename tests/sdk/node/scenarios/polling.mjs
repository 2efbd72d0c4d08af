// The helpers that poll, and how often they have to ask.
import assert from 'node:assert/strict';

import {
  by, keep, messages, outputs, prepare, runs, threads, words,
} from '../client.mjs';
import { scenario } from '../registry.mjs';
import { RETRIEVE, watched } from '../traffic.mjs';

const polled = (work) => watched(/^GET$/, RETRIEVE, work);

// A poll is held until the run rests, 0.8 s at most: however slow the machine, a helper asks no
// more often than this, and twice at most for what takes less.
const most = (milliseconds) => 2 + Math.floor(milliseconds / 800);

/** Not more retrieves than they may be; returns their number. */
function few({ calls, milliseconds }) {
  assert.ok(calls.length >= 1, 'none was seen');
  assert.ok(calls.length <= most(milliseconds), `${calls.length} in ${milliseconds} ms`);
  return calls.length;
}

scenario('polling: createAndPoll of an instant model', async (notes) => {
  const { assistant_id, thread_id } = await prepare('text-5');
  const once = () => polled(() => runs.createAndPoll(thread_id, { assistant_id }));
  const measured = [await once(), await once(), await once()];
  for (const { result: run } of measured) {
    assert.equal(run.status, 'completed');
    assert.deepEqual(await by.retrieveRun(thread_id, run.id), run);
  }
  const [answer] = (await messages.list(thread_id)).data;
  assert.equal(answer.content[0].text.value, words(5));
  notes.milliseconds = measured.map(({ milliseconds }) => milliseconds);
  notes.retrieves = measured.map(few);
});

scenario('polling: createAndRunPoll of a slow model', async (notes) => {
  const { assistant_id } = await prepare('text-40x50'); // 2 s
  const thread = { messages: [{ role: 'user', content: 'Hello' }] };
  const measured = await polled(() => threads.createAndRunPoll({ assistant_id, thread }));
  const run = measured.result;
  keep(run.thread_id);
  assert.equal(run.status, 'completed');
  assert.deepEqual((await messages.list(run.thread_id)).data.map((found) => found.role), [
    'assistant', 'user',
  ]);
  notes.milliseconds = [measured.milliseconds];
  notes.retrieves = [few(measured)];
});

scenario('polling: tools', async (notes) => {
  const { assistant_id, thread_id } = await prepare('tools-2-then-text-3', ['rain', 'wind']);
  const first = await polled(() => runs.createAndPoll(thread_id, { assistant_id }));
  assert.equal(first.result.status, 'requires_action');
  const tool_outputs = outputs(first.result);
  const second = await polled(() => by.submitAndPoll(thread_id, first.result.id, { tool_outputs }));
  assert.equal(second.result.status, 'completed');
  notes.milliseconds = [first.milliseconds, second.milliseconds];
  notes.retrieves = [first, second].map(few);
});

scenario('polling: poll, also with an interval of its own', async () => {
  const { assistant_id, thread_id } = await prepare('text-10x50');
  const made = await runs.create(thread_id, { assistant_id });
  const run = await by.poll(thread_id, made.id, { pollIntervalMs: 30 });
  assert.equal(run.status, 'completed');
  const { result, calls } = await polled(() => by.poll(thread_id, made.id));
  assert.deepEqual([result, calls.length], [run, 1]);
});

scenario('polling: ends when another cancels', async () => {
  const { assistant_id, thread_id } = await prepare('hang');
  const made = await runs.create(thread_id, { assistant_id });
  const polling = by.poll(thread_id, made.id);
  await by.cancelRun(thread_id, made.id);
  assert.equal((await polling).status, 'cancelled');
});
