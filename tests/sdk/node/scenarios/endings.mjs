// Runs that do not end as they should: failed upstreams, limits, refusals, cancels, readers that
// leave.
import assert from 'node:assert/strict';

import { age } from '../ages.mjs';
import {
  asked, by, collect, failure, follow, last, listen, messages, names, prepare, runs, script, until,
  wait, words,
} from '../client.mjs';
import { called, OPENING, textTurn } from '../expected.mjs';
import { attach } from '../plain.mjs';
import { scenario } from '../registry.mjs';

const { APIUserAbortError } = age.OpenAI;
const text = (value) => [{ type: 'text', text: { value, annotations: [] } }];

/** A run that fails is an answer like any other: the helpers of all ages resolve. */
async function fails(model, code, message, tokens = 0) {
  const { assistant_id, thread_id } = await prepare(model);
  const seen = await follow(runs.stream(thread_id, { assistant_id }));
  const turn = tokens ? called.textTurn(tokens, 'incomplete', 'failed') : [];
  const ending = ['thread.run.failed', ...called.end];
  assert.deepEqual(seen.called, [...called.opening, ...turn, ...ending]);
  const { run } = seen;
  assert.equal(run.status, 'failed');
  assert.equal(run.last_error.code, code);
  assert.match(run.last_error.message, message);
  assert.ok(run.failed_at >= run.created_at);
  assert.deepEqual(run, await by.retrieveRun(thread_id, run.id));
  assert.deepEqual(run.last_error, (await by.poll(thread_id, run.id)).last_error);
  if (!tokens) {
    assert.deepEqual([seen.messages, seen.steps], [[], []]);
    return;
  }
  const [stored] = (await messages.list(thread_id)).data;
  assert.equal(stored.status, 'incomplete');
  assert.deepEqual(stored.incomplete_details, { reason: 'run_failed' });
  assert.deepEqual(stored.content, text(words(tokens)));
  assert.deepEqual(seen.messages, [age.finalMessage(stored)]);
  const [step] = seen.steps;
  assert.deepEqual([step.status, step.last_error.code], ['failed', code]);
}

scenario('failed: the upstream refuses the prompt', () =>
  fails('status-400', 'invalid_prompt', /scripted 400/));
scenario('failed: the upstream refuses the key', () =>
  fails('status-401', 'server_error', /scripted 401/));
scenario('failed: the upstream has no quota left', () =>
  fails('status-402', 'rate_limit_exceeded', /scripted 402/));
scenario('failed: the upstream breaks off', () => fails('drop-5', 'server_error', /./, 5));

scenario('failed: the helpers that poll resolve, too', async () => {
  const { assistant_id, thread_id } = await prepare('status-400');
  const run = await runs.createAndPoll(thread_id, { assistant_id });
  assert.equal(run.status, 'failed');
  assert.equal(run.last_error.code, 'invalid_prompt');
  const next = await collect(await runs.create(thread_id, { assistant_id, stream: true }));
  assert.deepEqual(names(next), [...OPENING, 'thread.run.failed']);
});

scenario('failed: in the second turn, after tool outputs', async () => {
  const { assistant_id, thread_id } = await prepare('tools-1-then-drop-2', ['rain']);
  const waiting = await runs.createAndPoll(thread_id, { assistant_id });
  const tool_outputs = waiting.required_action.submit_tool_outputs.tool_calls.map(({ id }) => ({
    tool_call_id: id,
    output: 'yes',
  }));
  const seen = await follow(by.submitStream(thread_id, waiting.id, { tool_outputs }));
  assert.deepEqual(seen.called, [
    ...called.resumed, ...called.textTurn(2, 'incomplete', 'failed'), 'thread.run.failed',
    ...called.end,
  ]);
  assert.equal(seen.run.status, 'failed');
  assert.deepEqual(seen.steps.map((step) => step.status), ['completed', 'failed']);
});

scenario('a failure that passes is not seen', async () => {
  const { assistant_id, thread_id } = await prepare('text-3');
  const before = (await asked('text-3')).length;
  await script([{ status: 500, body: { error: { message: 'scripted 500' } }, headers: {} }]);
  const seen = await follow(runs.stream(thread_id, { assistant_id }));
  assert.equal(seen.run.status, 'completed');
  assert.equal((await asked('text-3')).length, before + 2);
  assert.deepEqual(names(seen.events), [...OPENING, ...textTurn(3), 'thread.run.completed']);
});

/** A run that a limit or a filter stops. 4.x does not know its last event, and rejects. */
async function stops(model, runReason, messageReason) {
  const { assistant_id, thread_id } = await prepare(model);
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = listen(stream);
  const result = await stream.finalRun().catch((error) => error);
  const turn = called.textTurn(5, 'incomplete', 'completed');
  const end = age.knowsIncomplete ? called.end : ['error', 'end'];
  assert.deepEqual(seen.called, [...called.opening, ...turn, 'thread.run.incomplete', ...end]);
  const run = last(seen.events, 'thread.run.incomplete');
  if (age.knowsIncomplete) {
    assert.deepEqual(result, run);
  } else {
    assert.equal(result.message, 'Final run has not been received');
    assert.deepEqual(seen.given.error, [result]);
  }
  assert.equal(run.status, 'incomplete');
  assert.deepEqual(run.incomplete_details, { reason: runReason });
  assert.deepEqual(run, await by.retrieveRun(thread_id, run.id));
  const [[message]] = seen.given.messageDone;
  assert.deepEqual(message.incomplete_details, { reason: messageReason });
  assert.deepEqual(message.content, text(words(5)));
  assert.deepEqual(await runs.createAndPoll(thread_id, { assistant_id }).then((next) => [
    next.status, next.incomplete_details,
  ]), ['incomplete', { reason: runReason }]);
}

scenario('incomplete: the limit of tokens', () =>
  stops('length-5', 'max_completion_tokens', 'max_tokens'));
scenario('incomplete: the content filter', () =>
  stops('filter-5', 'content_filter', 'content_filter'));

scenario('expired: while it is streamed', async () => {
  const { assistant_id, thread_id } = await prepare('text-600x50');
  let seen;
  for (const expires_in of [3, 20]) {
    seen = await follow(runs.stream(thread_id, { assistant_id, expires_in }));
    if (seen.given.textDelta.length) break; // else the machine was too busy to begin
  }
  const n = seen.given.textDelta.length;
  const turn = called.textTurn(n, 'incomplete', 'expired');
  assert.deepEqual(seen.called, [...called.opening, ...turn, 'thread.run.expired', ...called.end]);
  assert.equal(seen.run.status, 'expired');
  assert.deepEqual(seen.run, await by.retrieveRun(thread_id, seen.run.id));
  const [stored] = (await messages.list(thread_id)).data;
  assert.deepEqual(seen.given.messageDone, [[stored]]);
  assert.deepEqual(stored.incomplete_details, { reason: 'run_expired' });
  // Expiry takes the run from its driver. The reader may have seen a last few deltas that were
  // not committed yet: these, and no others, are missing from the message and from the log.
  const kept = stored.content[0].text.value;
  const lost = n - kept.split(' ').length + 1;
  assert.equal(kept, words(n - lost));
  const end = names(seen.events).lastIndexOf('thread.message.delta') + 1;
  seen.events.splice(end - lost, lost);
});

scenario('expired: while it waits for outputs', async () => {
  const { assistant_id, thread_id } = await prepare('tools-1-then-text-1', ['rain']);
  const body = { assistant_id, action_expires_in: 1 };
  const { run } = await follow(runs.stream(thread_id, body));
  assert.equal(run.status, 'requires_action');
  await wait(run, 'expired');
  const { data: [step] } = await by.listSteps(thread_id, run.id);
  assert.equal(step.status, 'expired');
  assert.deepEqual(names(await attach(run)).slice(-3), [
    'thread.run.requires_action', 'thread.run.step.expired', 'thread.run.expired',
  ]);
});

scenario('a refusal', async () => {
  const { assistant_id, thread_id } = await prepare('refuse-3');
  const seen = await follow(runs.stream(thread_id, { assistant_id }));
  assert.deepEqual(names(seen.events), [...OPENING, ...textTurn(3), 'thread.run.completed']);
  assert.deepEqual(seen.given.messageDelta.map(([delta]) => delta), [0, 1, 2].map((i) => ({
    content: [{ index: 0, type: 'refusal', refusal: `w${i} ` }],
  })));
  const { textCreated, textDelta, textDone } = seen.given;
  assert.deepEqual([...textCreated, ...textDelta, ...textDone], []);
  assert.equal(seen.run.status, 'completed');
  const [stored] = (await messages.list(thread_id)).data;
  assert.deepEqual(stored.content, [{ type: 'refusal', refusal: words(3) }]);
  assert.deepEqual(seen.messages, [age.finalMessage(stored)]);
});

scenario('cancel by another request while it streams', async () => {
  const model = 'text-600x50';
  const { assistant_id, thread_id } = await prepare(model);
  const other = new age.OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY });
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = listen(stream);
  let answer;
  for await (const { event } of stream) {
    if (event !== 'thread.message.delta' || answer) continue;
    answer = await age.calls(other.beta).cancelRun(thread_id, stream.currentRun().id);
    assert.match(answer.status, /^cancell(ing|ed)$/);
  }
  const n = seen.given.textDelta.length;
  const cancelled = ['thread.run.cancelled', ...called.end];
  const turn = called.textTurn(n, 'incomplete', 'cancelled');
  turn.splice(-5, 0, 'thread.run.cancelling');
  assert.deepEqual(seen.called, [...called.opening, ...turn, ...cancelled]);
  const run = await stream.finalRun();
  assert.equal(run.status, 'cancelled');
  assert.ok(run.cancelled_at >= run.started_at);
  assert.deepEqual(run, await by.retrieveRun(thread_id, run.id));
  const [stored] = (await messages.list(thread_id)).data;
  assert.deepEqual(stored.content, text(words(n)));
  assert.deepEqual(stored.incomplete_details, { reason: 'run_cancelled' });
  // The model's connection was closed long before its end.
  const request = await until(async () => {
    const newest = (await asked(model)).at(-1);
    return newest.closed_at && newest;
  });
  assert.ok(request.sent_at.length < 600);
  const error = await failure(() => by.cancelRun(thread_id, run.id));
  assert.equal(error.message, "400 Cannot cancel run with status 'cancelled'.");
});

scenario('cancel before the model said anything', async () => {
  const { assistant_id, thread_id } = await prepare('hang');
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = listen(stream);
  stream.on('event', ({ event, data }) => {
    if (event === 'thread.run.in_progress') void by.cancelRun(thread_id, data.id);
  });
  assert.equal((await stream.finalRun()).status, 'cancelled');
  assert.deepEqual(seen.called, [
    ...called.opening, 'thread.run.cancelling', 'thread.run.cancelled', ...called.end,
  ]);
});

/** The run that a reader left goes on to its end, and nothing of it is missing. */
async function goesOn(thread_id, run_id) {
  const run = await wait({ thread_id, id: run_id }, 'completed', 'cancelled', 'failed');
  assert.equal(run.status, 'completed');
  const [answer] = (await messages.list(thread_id)).data;
  assert.deepEqual(answer.content, text(words(30)));
  const log = await attach(run);
  assert.deepEqual(names(log), [...OPENING, ...textTurn(30), 'thread.run.completed']);
}

scenario('a reader that aborts the helper does not cancel the run', async () => {
  const { assistant_id, thread_id } = await prepare('text-30x20');
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = listen(stream);
  stream.on('textDelta', () => stream.abort());
  const error = await failure(() => stream.finalRun());
  assert.ok(error instanceof APIUserAbortError);
  assert.deepEqual(seen.called.slice(-2), ['abort', 'end']);
  assert.deepEqual(seen.given.abort, [error]);
  await goesOn(thread_id, seen.events[0].data.id);
});

scenario('a reader that aborts by its signal does not cancel the run', async () => {
  const { assistant_id, thread_id } = await prepare('text-30x20');
  const reader = new AbortController();
  const stream = runs.stream(thread_id, { assistant_id }, { signal: reader.signal });
  const seen = listen(stream);
  stream.on('textDelta', () => reader.abort());
  assert.ok((await failure(() => stream.done())) instanceof APIUserAbortError);
  await goesOn(thread_id, seen.events[0].data.id);
});

scenario('a reader that leaves the loop does not cancel the run', async () => {
  for (const begin of [
    async (thread_id, body) => runs.stream(thread_id, body),
    (thread_id, body) => runs.create(thread_id, { ...body, stream: true }),
  ]) {
    const { assistant_id, thread_id } = await prepare('text-30x20');
    let run_id;
    for await (const { event, data } of await begin(thread_id, { assistant_id })) {
      if (event === 'thread.run.created') run_id = data.id;
      if (event === 'thread.message.delta') break;
    }
    await goesOn(thread_id, run_id);
  }
});
