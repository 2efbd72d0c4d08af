// What the scenarios share: a client as users make it, threads with something to answer, and the
// journal of all events that streams delivered.
import assert from 'node:assert/strict';

import { age } from './ages.mjs';

export const BASE_URL = process.env.BASE_URL;
export const API_KEY = process.env.API_KEY;
const UPSTREAM = new URL('/', process.env.UPSTREAM_URL);

/** Nothing but the address and the key is ours. */
export const client = new age.OpenAI({ baseURL: BASE_URL, apiKey: API_KEY });
export const { assistants, threads } = client.beta;
export const { messages, runs } = threads;
export const by = age.calls(client.beta);

/** What a scenario leaves behind: `threads` by id, and each stream's events as delivered. */
export const journal = { threads: new Set(), streams: [] };

/** Have the runs of this thread checked at the scenario's end. */
export function keep(thread_id) {
  journal.threads.add(thread_id);
  return thread_id;
}

/** A function tool that takes one number. */
export function functionTool(name) {
  const parameters = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
  return { type: 'function', function: { name, parameters } };
}

/** An assistant whose model is scripted by its name, and a thread with one message. */
export async function prepare(model, functions = []) {
  const assistant = await assistants.create({ model, tools: functions.map(functionTool) });
  const thread = await threads.create({ messages: [{ role: 'user', content: 'Hello' }] });
  return { assistant_id: assistant.id, thread_id: keep(thread.id) };
}

/** An answer to every call that a run waits for: the call's name, answered. */
export function outputs(run) {
  return run.required_action.submit_tool_outputs.tool_calls.map((call) => ({
    tool_call_id: call.id,
    output: `${call.function.name} answered`,
  }));
}

/** What the scripted model says in n tokens. */
export function words(n) {
  return Array.from({ length: n }, (_, i) => `w${i} `).join('');
}

const HANDLED = [
  'connect', 'event', 'runStepCreated', 'runStepDelta', 'runStepDone', 'toolCallCreated',
  'toolCallDelta', 'toolCallDone', 'messageCreated', 'messageDelta', 'messageDone', 'textCreated',
  'textDelta', 'textDone', 'imageFileDone', 'run', 'error', 'abort', 'end',
];

/**
 * Listen to all that a stream helper emits: `called` are the names in order (of `event`, the
 * wire's names), `given` the arguments by name, as they were at that moment, `events` the wire's.
 */
export function listen(stream) {
  const seen = { called: [], given: Object.fromEntries(HANDLED.map((name) => [name, []])) };
  seen.events = [];
  journal.streams.push(seen.events);
  for (const name of HANDLED) {
    stream.on(name, (...given) => {
      seen.called.push(name === 'event' ? given[0].event : name);
      if (name === 'event') seen.events.push(structuredClone(given[0]));
      const isError = name === 'error' || name === 'abort';
      seen.given[name].push(isError ? given[0] : structuredClone(given));
    });
  }
  return seen;
}

/** Listen to a stream helper until its end; also its final run, messages and steps. */
export async function follow(stream) {
  const seen = listen(stream);
  seen.run = await stream.finalRun();
  seen.messages = await stream.finalMessages();
  seen.steps = await stream.finalRunSteps();
  return seen;
}

/** All events of a `stream: true` call; `each` may look at them as they come. */
export async function collect(stream, each = () => {}) {
  const events = [];
  journal.streams.push(events);
  for await (const event of stream) {
    events.push(structuredClone(event));
    await each(event, events);
  }
  return events;
}

/** The names of events. */
export const names = (events) => events.map((event) => event.event);

/** The last event's object of this kind, such as `thread.message.completed`. */
export const last = (events, name) => events.findLast((event) => event.event === name).data;

/** Ask again until `check` returns something. */
export async function until(check) {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const found = await check();
    if (found) return found;
    assert.ok(performance.now() < deadline, `in vain: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Retrieve a run until it has one of these statuses. */
export function wait(run, ...statuses) {
  return until(async () => {
    const found = await by.retrieveRun(run.thread_id, run.id);
    return statuses.includes(found.status) && found;
  });
}

/** What the scripted model was asked under this name, oldest first. */
export async function asked(model) {
  const all = await (await fetch(new URL('requests', UPSTREAM))).json();
  return all.filter((request) => request.body.model === model);
}

/** Have the model answer the next turns with these plans, whatever its name. */
export async function script(...queue) {
  const body = JSON.stringify({ queue });
  const answer = await fetch(new URL('script', UPSTREAM), { method: 'POST', body });
  assert.equal(answer.status, 200);
}

/** A call that must fail: its error. */
export async function failure(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return assert.fail('the call succeeded');
}
