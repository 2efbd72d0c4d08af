// Every object by its own calls: created, retrieved, listed, updated, deleted, exactly as stored.
import assert from 'node:assert/strict';

import { age } from '../ages.mjs';
import {
  assistants, by, client, failure, functionTool, keep, messages, prepare, runs, threads, wait,
} from '../client.mjs';
import { scenario } from '../registry.mjs';

const ID = '[A-Za-z0-9]{24}';

/** Ids and times are the server's to give: checked by their form, and taken over. */
function given(found, prefix) {
  assert.match(found.id, new RegExp(`^${prefix}_${ID}$`));
  assert.ok(Math.abs(found.created_at - Date.now() / 1000) < 600);
  return { id: found.id, created_at: found.created_at };
}

async function isGone(retrieve) {
  assert.ok((await failure(retrieve)) instanceof age.OpenAI.NotFoundError);
}

scenario('assistants: create, retrieve, list, update, delete', async () => {
  const fields = {
    model: 'vendor/text-1',
    name: 'Tutor',
    description: 'Teaches maths',
    instructions: 'Be kind. 😀',
    tools: [functionTool('rain')],
    metadata: { grade: '7' },
    temperature: 0.5,
    top_p: 0.9,
    response_format: { type: 'json_object' },
  };
  const made = await assistants.create(fields);
  const all = { tool_resources: {}, reasoning_effort: null, object: 'assistant', ...fields };
  assert.deepEqual(made, { ...given(made, 'asst'), ...all });
  assert.deepEqual(await assistants.retrieve(made.id), made);
  assert.deepEqual((await assistants.list({ limit: 1 })).data, [made]);
  const changed = { name: 'Coach', tools: [], metadata: {} };
  const updated = await assistants.update(made.id, changed);
  assert.deepEqual(updated, { ...made, ...changed });
  assert.deepEqual(await assistants.retrieve(made.id), updated);
  const deleted = { id: made.id, object: 'assistant.deleted', deleted: true };
  assert.deepEqual(await by.deleteAssistant(made.id), deleted);
  await isGone(() => assistants.retrieve(made.id));
  const bare = await assistants.create({ model: 'm' });
  assert.deepEqual(bare, {
    ...given(bare, 'asst'), object: 'assistant', model: 'm', name: null, description: null,
    instructions: null, tools: [], tool_resources: {}, metadata: {}, temperature: 1, top_p: 1,
    reasoning_effort: null, response_format: 'auto',
  });
});

scenario('threads: create, retrieve, update, delete', async () => {
  const empty = await threads.create();
  const all = { object: 'thread', metadata: {}, tool_resources: {} };
  assert.deepEqual(empty, { ...given(empty, 'thread'), ...all });
  const made = await threads.create({
    messages: [
      { role: 'user', content: 'One' },
      { role: 'assistant', content: 'Two', metadata: { of: 'mine' } },
    ],
    metadata: { user: 'u1' },
  });
  assert.deepEqual(made, { ...given(made, 'thread'), ...all, metadata: { user: 'u1' } });
  const { data } = await messages.list(made.id, { order: 'asc' });
  assert.deepEqual(data.map((found) => [found.role, found.content[0].text.value, found.metadata]), [
    ['user', 'One', {}], ['assistant', 'Two', { of: 'mine' }],
  ]);
  const updated = await threads.update(made.id, { metadata: { user: 'u2', more: 'yes' } });
  assert.deepEqual(updated, { ...made, metadata: { user: 'u2', more: 'yes' } });
  assert.deepEqual(await threads.retrieve(made.id), updated);
  const deleted = { id: made.id, object: 'thread.deleted', deleted: true };
  assert.deepEqual(await by.deleteThread(made.id), deleted);
  await isGone(() => threads.retrieve(made.id));
  await isGone(() => messages.list(made.id));
});

scenario('messages: create, retrieve, list, update, delete', async () => {
  const { id: thread_id } = await threads.create();
  const parts = [
    { type: 'text', text: 'Look' },
    { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
  ];
  const body = { role: 'user', content: parts, metadata: { a: 'b' } };
  const made = await messages.create(thread_id, body);
  assert.deepEqual(made, {
    ...given(made, 'msg'), object: 'thread.message', thread_id, assistant_id: null, run_id: null,
    role: 'user', attachments: [], metadata: { a: 'b' }, status: 'completed',
    completed_at: made.created_at, incomplete_at: null, incomplete_details: null,
    content: [{ type: 'text', text: { value: 'Look', annotations: [] } }, parts[1]],
  });
  const second = await messages.create(thread_id, { role: 'user', content: 'Well?' });
  assert.deepEqual(await by.retrieveMessage(thread_id, made.id), made);
  assert.deepEqual((await messages.list(thread_id)).data, [second, made]);
  const updated = await by.updateMessage(thread_id, made.id, { metadata: { c: 'd' } });
  assert.deepEqual(updated, { ...made, metadata: { c: 'd' } });
  const deleted = { id: made.id, object: 'thread.message.deleted', deleted: true };
  assert.deepEqual(await by.deleteMessage(thread_id, made.id), deleted);
  await isGone(() => by.retrieveMessage(thread_id, made.id));
  assert.deepEqual((await messages.list(thread_id)).data, [second]);
});

scenario('runs: create, retrieve, list, update', async () => {
  const tools = [functionTool('rain')];
  const assistant = await assistants.create({ model: 'text-2', tools, instructions: 'Be kind.' });
  const { id: thread_id } = await threads.create();
  keep(thread_id);
  const made = await runs.create(thread_id, {
    assistant_id: assistant.id,
    additional_instructions: 'Be brief.',
    additional_messages: [{ role: 'user', content: 'One' }, { role: 'user', content: 'Two' }],
    metadata: { a: 'b' },
    temperature: 0.3,
    max_completion_tokens: 500,
    tool_choice: 'none',
    parallel_tool_calls: false,
    truncation_strategy: { type: 'last_messages', last_messages: 5 },
  });
  assert.deepEqual(made, {
    ...given(made, 'run'), object: 'thread.run', thread_id, assistant_id: assistant.id,
    status: 'queued', started_at: null, expires_at: made.created_at + 600, cancelled_at: null,
    failed_at: null, completed_at: null, required_action: null, last_error: null,
    incomplete_details: null, model: 'text-2', instructions: 'Be kind.\n\nBe brief.', tools,
    tool_resources: {}, metadata: { a: 'b' }, temperature: 0.3, top_p: 1, reasoning_effort: null,
    max_prompt_tokens: null, max_completion_tokens: 500, response_format: 'auto', usage: null,
    truncation_strategy: { type: 'last_messages', last_messages: 5 }, tool_choice: 'none',
    parallel_tool_calls: false,
  });
  const ended = await wait(made, 'completed');
  assert.deepEqual(ended, {
    ...made, status: 'completed', expires_at: null, started_at: ended.started_at,
    completed_at: ended.completed_at,
    usage: {
      prompt_tokens: 30, completion_tokens: 2, total_tokens: 32,
      prompt_token_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  });
  assert.ok(made.created_at <= ended.started_at && ended.started_at <= ended.completed_at);
  const updated = await by.updateRun(thread_id, made.id, { metadata: { done: 'yes' } });
  assert.deepEqual(updated, { ...ended, metadata: { done: 'yes' } });
  assert.deepEqual((await runs.list(thread_id)).data, [updated]);
  const { data } = await messages.list(thread_id, { order: 'asc' });
  assert.deepEqual(data.map((found) => [found.role, found.content[0].text.value, found.run_id]), [
    ['user', 'One', null], ['user', 'Two', null], ['assistant', 'w0 w1 ', made.id],
  ]);
});

scenario('steps: list, retrieve', async () => {
  const { assistant_id, thread_id } = await prepare('text-2');
  const run = await runs.createAndPoll(thread_id, { assistant_id });
  const { data: [answer] } = await messages.list(thread_id, { run_id: run.id });
  const { data: [step, ...others] } = await by.listSteps(thread_id, run.id);
  assert.deepEqual(others, []);
  assert.deepEqual(step, {
    ...given(step, 'step'), object: 'thread.run.step', run_id: run.id, assistant_id, thread_id,
    type: 'message_creation', status: 'completed', cancelled_at: null,
    completed_at: step.completed_at, expired_at: null, expires_at: step.expires_at,
    failed_at: null, last_error: null, usage: run.usage, metadata: {},
    step_details: { type: 'message_creation', message_creation: { message_id: answer.id } },
  });
  assert.ok(step.completed_at >= step.created_at);
  assert.deepEqual(await by.retrieveStep(thread_id, run.id, step.id), step);
});

scenario('answers: their headers and their request ids', async () => {
  const made = await threads.create();
  assert.match(made._request_id, /^req_/);
  const { data, response } = await threads.retrieve(made.id).withResponse();
  assert.deepEqual(data, made);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('x-request-id'), data._request_id);
  assert.equal(response.headers.get('openai-version'), '2020-10-01');
  assert.match(response.headers.get('openai-processing-ms'), /^\d+$/);
  const plain = await client.beta.threads.retrieve(made.id).asResponse();
  assert.deepEqual(await plain.json(), { ...made });
});

scenario('a thread deleted while its run is streamed', async () => {
  const { assistant_id, thread_id } = await prepare('text-500x50');
  const stream = runs.stream(thread_id, { assistant_id });
  const deltas = [];
  stream.on('textDelta', (delta) => {
    if (deltas.push(delta) === 1) void by.deleteThread(thread_id);
  });
  const run = await stream.finalRun();
  assert.equal(run.status, 'cancelled');
  assert.ok(deltas.length < 500);
  await isGone(() => by.retrieveRun(thread_id, run.id));
});
