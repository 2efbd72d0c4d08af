// What goes wrong arrives as the SDK's own errors, with all that programs look at.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { age } from '../ages.mjs';
import {
  API_KEY, assistants, BASE_URL, by, client, collect, failure, listen, messages, prepare, runs,
  threads, wait,
} from '../client.mjs';
import { scenario } from '../registry.mjs';
import { watched } from '../traffic.mjs';

const { APIConnectionError, APIError, OpenAIError } = age.OpenAI;
const ABSENT = 'A'.repeat(24);

/** The call fails once, is not repeated, and its error is this. */
async function refused(call, kind, status, expected) {
  const { result: error, calls } = await watched(/./, /./, () => failure(call));
  assert.equal(error.constructor, age.OpenAI[kind], error);
  assert.ok(error instanceof APIError && error instanceof OpenAIError);
  assert.equal(calls.length, 1, 'it was repeated');
  const { message, ...fields } = { code: null, param: null, ...expected };
  assert.equal(error.message, `${status} ${message}`);
  assert.equal(error.status, status);
  const { code, param, type } = error;
  assert.deepEqual({ code, param, type }, { type: 'invalid_request_error', ...fields });
  assert.deepEqual(error.error, { message, type, param, code });
  assert.match(age.requestId(error), /^req_/);
}

const missing = (call, what, id) =>
  refused(call, 'NotFoundError', 404, { message: `No ${what} found with id '${id}'.` });

scenario('errors: a wrong key', async () => {
  const stranger = new age.OpenAI({ baseURL: BASE_URL, apiKey: 'rsk_live_wrong' });
  const error = await failure(() => stranger.beta.threads.create());
  assert.ok(!error.message.includes('rsk_live_wrong'));
  await refused(() => stranger.beta.threads.create(), 'AuthenticationError', 401, {
    message: error.message.slice('401 '.length),
    code: 'invalid_api_key',
  });
});

scenario('errors: objects that do not exist', async () => {
  const { assistant_id, thread_id } = await prepare('text-1');
  const ids = Object.fromEntries(
    ['asst', 'thread', 'msg', 'run', 'step'].map((prefix) => [prefix, `${prefix}_${ABSENT}`]),
  );
  await missing(() => assistants.retrieve(ids.asst), 'assistant', ids.asst);
  await missing(() => threads.retrieve(ids.thread), 'thread', ids.thread);
  await missing(() => by.retrieveMessage(thread_id, ids.msg), 'message', ids.msg);
  await missing(() => by.retrieveRun(thread_id, ids.run), 'run', ids.run);
  await missing(() => by.cancelRun(thread_id, ids.run), 'run', ids.run);
  await missing(() => by.poll(thread_id, ids.run), 'run', ids.run);
  await missing(() => by.listSteps(thread_id, ids.run), 'run', ids.run);
  await missing(() => runs.list(ids.thread), 'thread', ids.thread);
  await missing(() => runs.create(ids.thread, { assistant_id }), 'thread', ids.thread);
  const unknown = { assistant_id: ids.asst };
  await missing(() => runs.create(thread_id, unknown), 'assistant', ids.asst);
  await missing(() => runs.createAndPoll(thread_id, unknown), 'assistant', ids.asst);
  await missing(() => threads.createAndRun(unknown), 'assistant', ids.asst);
  const run = await runs.createAndPoll(thread_id, { assistant_id });
  await missing(() => by.retrieveStep(thread_id, run.id, ids.step), 'run step', ids.step);
  const other = await threads.create();
  await missing(() => by.retrieveRun(other.id, run.id), 'run', run.id);
});

scenario('errors: bad requests name their parameter', async () => {
  const { assistant_id, thread_id } = await prepare('text-1');
  const bad = (call, expected) => refused(call, 'BadRequestError', 400, expected);
  await bad(() => runs.create(thread_id, {}), {
    message: "Missing required parameter: 'assistant_id'.",
    code: 'missing_required_parameter',
    param: 'assistant_id',
  });
  await bad(() => runs.create(thread_id, { assistant_id, colour: 'red' }), {
    message: "Unknown parameter: 'colour'.",
    code: 'unknown_parameter',
    param: 'colour',
  });
  const above = 'decimal above maximum value. Expected a value <= 2, but got 3 instead.';
  await bad(() => runs.create(thread_id, { assistant_id, temperature: 3 }), {
    message: `Invalid 'temperature': ${above}`,
    code: 'decimal_above_max_value',
    param: 'temperature',
  });
  await bad(() => threads.create({ metadata: { k: true } }), {
    message: "Invalid type for 'metadata.k': expected a string, but got a boolean instead.",
    code: 'invalid_type',
    param: 'metadata.k',
  });
  assert.deepEqual((await runs.list(thread_id)).data, []);
});

scenario('errors: streams that cannot begin', async () => {
  const { assistant_id, thread_id } = await prepare('text-1');
  const above = 'decimal above maximum value. Expected a value <= 1, but got 2 instead.';
  const expected = {
    message: `Invalid 'top_p': ${above}`,
    code: 'decimal_above_max_value',
    param: 'top_p',
  };
  const body = { assistant_id, top_p: 2 };
  for (const begin of [
    () => runs.create(thread_id, { ...body, stream: true }),
    () => runs.stream(thread_id, body).finalRun(),
    () => runs.stream(thread_id, body).finalMessages(),
    () => threads.createAndRunStream(body).done(),
    async () => {
      for await (const { event } of runs.stream(thread_id, body)) assert.fail(event);
    },
  ]) {
    await refused(begin, 'BadRequestError', 400, expected);
  }
  const stream = runs.stream(thread_id, body);
  const seen = listen(stream);
  const error = await failure(() => stream.finalRun());
  assert.deepEqual(seen.called, ['error', 'end']);
  assert.deepEqual(seen.given.error, [error]);
  assert.deepEqual((await runs.list(thread_id)).data, []);
});

scenario('errors: a busy thread', async () => {
  const { assistant_id, thread_id } = await prepare('hang');
  const run = await runs.create(thread_id, { assistant_id });
  const bad = (call, message) => refused(call, 'BadRequestError', 400, { message });
  const busy = `Thread ${thread_id} already has an active run ${run.id}.`;
  await bad(() => runs.create(thread_id, { assistant_id }), busy);
  await bad(() => runs.stream(thread_id, { assistant_id }).finalRun(), busy);
  await bad(
    () => messages.create(thread_id, { role: 'user', content: 'And?' }),
    `Can't add messages to ${thread_id} while a run ${run.id} is active.`,
  );
  await by.cancelRun(thread_id, run.id);
  await wait(run, 'cancelled');
  await bad(() => by.cancelRun(thread_id, run.id), "Cannot cancel run with status 'cancelled'.");
});

scenario('errors: no such URL', async () => {
  const message = 'Invalid URL (GET /v1/nowhere)';
  await refused(() => client.get('/nowhere'), 'NotFoundError', 404, { message });
});

scenario('errors: nobody answers', async () => {
  const nobody = { baseURL: 'http://127.0.0.1:9/v1', apiKey: API_KEY, maxRetries: 0 };
  const error = await failure(() => new age.OpenAI(nobody).beta.threads.create());
  assert.equal(error.constructor, APIConnectionError);
});

scenario('Idempotency-Key: a call that is repeated is made once', async () => {
  const { assistant_id, thread_id } = await prepare('text-3');
  const once = () => ({ headers: { 'Idempotency-Key': randomUUID() } });
  const options = once();
  const made = await runs.create(thread_id, { assistant_id }, options);
  const { data, response } = await runs.create(thread_id, { assistant_id }, options).withResponse();
  assert.deepEqual(data, made);
  assert.equal(response.headers.get('idempotent-replayed'), 'true');
  await wait(made, 'completed');
  const error = await failure(() => runs.create(thread_id, { assistant_id, top_p: 0 }, options));
  assert.ok(error instanceof age.OpenAI.BadRequestError);
  assert.equal(error.code, 'idempotency_key_reuse');
  const streamed = once();
  const body = { assistant_id, stream: true };
  const first = await collect(await runs.create(thread_id, body, streamed));
  assert.deepEqual(await collect(await runs.create(thread_id, body, streamed)), first);
  assert.equal((await runs.list(thread_id)).data.length, 2);
});
