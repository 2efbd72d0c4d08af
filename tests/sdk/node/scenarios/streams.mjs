// Streams of plain answers: by the helper with its events, by `for await`, by `stream: true`.
import assert from 'node:assert/strict';

import { age } from '../ages.mjs';
import {
  by, collect, follow, keep, last, listen, messages, names, prepare, runs, script, threads, words,
} from '../client.mjs';
import { called, OPENING, textTurn } from '../expected.mjs';
import { attach, get, pathOf } from '../plain.mjs';
import { replay } from '../replay.mjs';
import { scenario } from '../registry.mjs';

/** What a stream of n tokens must have called and given; `before` are events ahead of the run's. */
async function checkText(seen, n, before = []) {
  const opening = [called.opening[0], ...before, ...called.opening.slice(1)];
  const ending = ['thread.run.completed', ...called.end];
  assert.deepEqual(seen.called, [...opening, ...called.textTurn(n), ...ending]);
  assert.deepEqual(names(seen.events), [
    ...before, ...OPENING, ...textTurn(n), 'thread.run.completed',
  ]);
  const { given, run } = seen;
  assert.deepEqual(given.textDelta.map(([delta]) => delta.value).join(''), words(n));
  given.textDelta.forEach(([, text], i) => assert.equal(text.value, words(i + 1)));
  given.messageDelta.forEach(([, message], i) => {
    assert.equal(message.content[0].text.value, words(i + 1));
  });
  assert.deepEqual(given.textDone[0][0], { value: words(n), annotations: [] });

  const stored = await by.retrieveRun(run.thread_id, run.id);
  assert.deepEqual(run, stored);
  assert.equal(run.status, 'completed');
  assert.deepEqual(run.usage, {
    prompt_tokens: 10,
    completion_tokens: n,
    total_tokens: 10 + n,
    prompt_token_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  });
  const message = (await messages.list(run.thread_id)).data[0];
  assert.deepEqual(message.content, [{ type: 'text', text: { value: words(n), annotations: [] } }]);
  assert.deepEqual(given.messageDone, [[message]]);
  assert.deepEqual(seen.messages, [age.finalMessage(message)]);
  const { data: steps } = await by.listSteps(run.thread_id, run.id);
  assert.deepEqual(given.runStepDone.map(([step]) => step), steps);
  assert.deepEqual(seen.steps, steps);
}

scenario('stream: every handler in order, final run, messages and steps', async () => {
  const { assistant_id, thread_id } = await prepare('text-4');
  await checkText(await follow(runs.stream(thread_id, { assistant_id })), 4);
});

scenario('createAndRunStream: the thread comes first', async () => {
  const { assistant_id } = await prepare('text-3');
  const thread = { messages: [{ role: 'user', content: 'Hello' }], metadata: { from: 'here' } };
  const seen = await follow(threads.createAndRunStream({ assistant_id, thread }));
  keep(seen.run.thread_id);
  assert.equal(seen.called[0], 'connect');
  assert.deepEqual(seen.events[0].data, await threads.retrieve(seen.run.thread_id));
  assert.deepEqual(seen.events[0].data.metadata, { from: 'here' });
  await checkText(seen, 3, ['thread.created']);
});

scenario('stream: for await sees every event once', async () => {
  const { assistant_id, thread_id } = await prepare('text-5');
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = listen(stream);
  const iterated = [];
  for await (const event of stream) iterated.push(event.event);
  assert.deepEqual(iterated, [...OPENING, ...textTurn(5), 'thread.run.completed']);
  assert.deepEqual(iterated, names(seen.events));
  assert.equal((await stream.finalRun()).status, 'completed');
});

scenario('stream: current snapshots while it runs', async () => {
  const { assistant_id, thread_id } = await prepare('text-3');
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = [];
  stream.on('textDelta', () => {
    const message = stream.currentMessageSnapshot();
    seen.push([
      stream.currentEvent().event, stream.currentRun().status,
      stream.currentRunStepSnapshot().type, message.content[0].text.value,
    ]);
  });
  await stream.done();
  const at = ['thread.message.delta', 'in_progress', 'message_creation'];
  assert.deepEqual(seen, [1, 2, 3].map((n) => [...at, words(n)]));
});

scenario('stream: handed on by toReadableStream', async () => {
  const { assistant_id, thread_id } = await prepare('text-3');
  const stream = runs.stream(thread_id, { assistant_id });
  const again = age.AssistantStream.fromReadableStream(stream.toReadableStream());
  await checkText(await follow(again), 3);
});

scenario('stream: true on create run', async () => {
  const { assistant_id, thread_id } = await prepare('text-3');
  const events = await collect(await runs.create(thread_id, { assistant_id, stream: true }));
  assert.deepEqual(names(events), [...OPENING, ...textTurn(3), 'thread.run.completed']);
  const deltas = events.filter(({ event }) => event === 'thread.message.delta');
  assert.deepEqual(deltas.map(({ data }) => data.delta), [
    { content: [{ index: 0, type: 'text', text: { value: 'w0 ', annotations: [] } }] },
    { content: [{ index: 0, type: 'text', text: { value: 'w1 ' } }] },
    { content: [{ index: 0, type: 'text', text: { value: 'w2 ' } }] },
  ]);
  const run = last(events, 'thread.run.completed');
  assert.deepEqual(run, await by.retrieveRun(thread_id, run.id));
  const message = last(events, 'thread.message.completed');
  assert.deepEqual(message, await by.retrieveMessage(thread_id, message.id));
});

scenario('stream: true on create thread and run', async () => {
  const { assistant_id } = await prepare('text-2');
  const events = await collect(await threads.createAndRun({ assistant_id, stream: true }));
  assert.deepEqual(names(events), [
    'thread.created', ...OPENING, ...textTurn(2), 'thread.run.completed',
  ]);
  const run = last(events, 'thread.run.completed');
  assert.equal(keep(run.thread_id), events[0].data.id);
});

scenario('a long answer arrives whole', async () => {
  const { assistant_id, thread_id } = await prepare('text-1500');
  const stream = runs.stream(thread_id, { assistant_id });
  let text = '';
  stream.on('textDelta', (delta) => (text += delta.value));
  const seen = await follow(stream);
  assert.equal(text, words(1500));
  assert.equal(seen.given.textDelta.length, 1500);
  assert.equal(seen.given.textDone[0][0].value, words(1500));
});

scenario('many streams at once from one client', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, (_, i) => prepare(`text-${5 + i}x10`)));
  const seen = await Promise.all(
    made.map(({ assistant_id, thread_id }) => follow(runs.stream(thread_id, { assistant_id }))),
  );
  seen.forEach(({ run, given }, i) => {
    assert.equal(run.thread_id, made[i].thread_id);
    assert.equal(run.status, 'completed');
    assert.equal(given.textDone[0][0].value, words(5 + i));
  });
});

scenario('a silence that the server fills with comments', async () => {
  const { assistant_id, thread_id } = await prepare('text-1');
  await script([{ delta: { content: 'w0 ' } }, { delta: { content: 'w1 ' }, delay: 12 }]);
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = listen(stream);
  let raw;
  stream.on('textCreated', () => {
    raw = get(pathOf(seen.events[0].data)).then((answer) => answer.text());
  });
  await stream.done();
  assert.deepEqual(names(seen.events), [...OPENING, ...textTurn(2), 'thread.run.completed']);
  assert.equal(seen.given.textDone[0][0].value, words(2));
  assert.match(await raw, /^: ping$/m);
});

scenario('any characters arrive as they are', async () => {
  // Line ends of other formats, what looks like a frame, pairs of surrogates, control characters.
  const pieces = ['é\u2028\u2029\u0085', 'a\r\n\ndata: x\n\n', '😀', '\u0001"\\', '日本'];
  const { assistant_id, thread_id } = await prepare('text-1');
  await script(pieces.map((content) => ({ delta: { content } })));
  const seen = await follow(runs.stream(thread_id, { assistant_id }));
  assert.deepEqual(seen.given.textDelta.map(([delta]) => delta.value), pieces);
  assert.equal(seen.given.textDone[0][0].value, pieces.join(''));
  const stored = (await messages.list(thread_id)).data[0];
  assert.equal(stored.content[0].text.value, pieces.join(''));
});

scenario('an empty answer has neither step nor message', async () => {
  const { assistant_id, thread_id } = await prepare('text-0');
  const seen = await follow(runs.stream(thread_id, { assistant_id }));
  assert.deepEqual(seen.called, [...called.opening, 'thread.run.completed', ...called.end]);
  assert.deepEqual([seen.messages, seen.steps], [[], []]);
  assert.deepEqual((await messages.list(thread_id)).data.length, 1);
});

scenario('the helper reads a log as it reads an answer', async () => {
  const { assistant_id, thread_id } = await prepare('text-3');
  const live = await follow(runs.stream(thread_id, { assistant_id }));
  const log = (await attach(live.run)).map(({ event, data }) => ({ event, data }));
  const read = await follow(replay(age.AssistantStream, log));
  assert.deepEqual(read.called, live.called);
  assert.deepEqual(read.given, live.given);
  assert.deepEqual([read.run, read.messages, read.steps], [live.run, live.messages, live.steps]);
});
