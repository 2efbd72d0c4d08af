// Tool calls: rounds, parallel calls, text and calls in one turn, by streams and by polling.
import assert from 'node:assert/strict';

import { age } from '../ages.mjs';
import {
  asked, by, collect, failure, follow, functionTool, keep, last, messages, names, outputs, prepare,
  runs, script, threads, wait, words,
} from '../client.mjs';
import { called, callTurn, OPENING, RESUMED, textTurn } from '../expected.mjs';
import { scenario } from '../registry.mjs';

/** What a run of these functions waits for, without the calls' ids. */
const wanted = (run) =>
  run.required_action.submit_tool_outputs.tool_calls.map(({ id, ...call }) => {
    assert.match(id, /^call_/);
    return call;
  });

const call = (name, n) => ({ type: 'function', function: { name, arguments: `{"n": ${n}}` } });

/** The step's calls after these outputs came in. */
const answered = (run) =>
  run.required_action.submit_tool_outputs.tool_calls.map((made) => ({
    ...made,
    function: { ...made.function, output: `${made.function.name} answered` },
  }));

const submit = (run) =>
  by.submitStream(run.thread_id, run.id, { tool_outputs: outputs(run) });

/** Every handler of a stream that ends with these functions called, and what they were given. */
function checkCalls(seen, functions, before, fragments) {
  const turn = called.callTurn(functions.length, fragments);
  assert.deepEqual(seen.called, [...before, ...turn, ...called.end]);
  const { given, run } = seen;
  assert.equal(run.status, 'requires_action');
  assert.equal(run.required_action.type, 'submit_tool_outputs');
  assert.deepEqual(wanted(run), functions.map(call));
  const made = run.required_action.submit_tool_outputs.tool_calls;
  const whole = made.map((one, index) => ({
    index,
    ...one,
    function: { ...one.function, output: null },
  }));
  assert.deepEqual(given.toolCallDone, whole.map((one) => [one]));
  assert.deepEqual(given.toolCallCreated, whole.map((one) => [
    { ...one, function: { ...one.function, arguments: '' } },
  ]));
  const grown = functions.map((_, n) => given.toolCallDelta
    .filter(([delta]) => delta.index === n)
    .map(([delta]) => delta.function.arguments).join(''));
  assert.deepEqual(grown, functions.map((_, n) => `{"n": ${n}}`));
  const step = seen.steps.at(-1);
  assert.equal(step.status, 'in_progress');
  assert.deepEqual(step.step_details, { type: 'tool_calls', tool_calls: whole });
}

/** Every handler of the stream after the outputs, up to an answer of n tokens. */
async function checkAnswer(seen, before, n) {
  assert.deepEqual(seen.called, [
    ...called.resumed, ...called.textTurn(n), 'thread.run.completed', ...called.end,
  ]);
  assert.deepEqual(seen.events[0].data.step_details.tool_calls, answered(before));
  assert.deepEqual(seen.given.runStepDone[0][0], seen.events[0].data);
  assert.equal(seen.run.status, 'completed');
  assert.equal(seen.given.textDone[0][0].value, words(n));
  const { thread_id, id } = seen.run;
  assert.deepEqual(seen.run, await by.retrieveRun(thread_id, id));
  const { data: steps } = await by.listSteps(thread_id, id, { order: 'asc' });
  assert.deepEqual(seen.steps, steps.slice(-2));
}

scenario('tools: one call, streamed', async () => {
  const { assistant_id, thread_id } = await prepare('tools-1-then-text-4', ['rain']);
  const first = await follow(runs.stream(thread_id, { assistant_id }));
  checkCalls(first, ['rain'], called.opening);
  await checkAnswer(await follow(submit(first.run)), first.run, 4);
});

scenario('tools: parallel calls, streamed', async () => {
  const functions = ['rain', 'wind', 'snow'];
  const { assistant_id, thread_id } = await prepare('tools-3-then-text-2', functions);
  const first = await follow(runs.stream(thread_id, { assistant_id }));
  checkCalls(first, functions, called.opening);
  await checkAnswer(await follow(submit(first.run)), first.run, 2);
});

scenario('tools: two rounds, streamed', async () => {
  const model = 'tools-2-then-tools-1-then-text-3';
  const { assistant_id, thread_id } = await prepare(model, ['rain', 'wind']);
  const first = await follow(runs.stream(thread_id, { assistant_id }));
  checkCalls(first, ['rain', 'wind'], called.opening);
  const second = await follow(submit(first.run));
  checkCalls(second, ['rain'], called.resumed);
  assert.deepEqual(second.events[0].data.step_details.tool_calls, answered(first.run));
  await checkAnswer(await follow(submit(second.run)), second.run, 3);
  const [, ...history] = (await asked(model)).at(-1).body.messages;
  assert.deepEqual(history.map(({ role, content }) => [role, content]), [
    ['assistant', null],
    ['tool', 'rain answered'],
    ['tool', 'wind answered'],
    ['assistant', null],
    ['tool', 'rain answered'],
  ]);
});

scenario('tools: text and calls in one turn, streamed', async () => {
  const model = 'text-2+tools-2-then-text-3';
  const { assistant_id, thread_id } = await prepare(model, ['rain', 'wind']);
  const first = await follow(runs.stream(thread_id, { assistant_id }));
  checkCalls(first, ['rain', 'wind'], [...called.opening, ...called.textTurn(2)], 1);
  assert.equal(first.given.textDone[0][0].value, words(2));
  assert.deepEqual(first.steps.map((step) => step.type), ['message_creation', 'tool_calls']);
  const second = await follow(submit(first.run));
  await checkAnswer(second, first.run, 3);
  const listed = (await messages.list(thread_id, { order: 'asc' })).data;
  assert.deepEqual(listed.map((message) => message.content[0].text.value), [
    'Hello', words(2), words(3),
  ]);
  // Two turns, one message each; the first turn's usage is on its last step.
  const { data: steps } = await by.listSteps(thread_id, first.run.id, { order: 'asc' });
  const tokens = steps.map((step) => step.usage?.completion_tokens ?? null);
  assert.equal(tokens[0], null);
  assert.equal(tokens[1] + tokens[2], second.run.usage.completion_tokens);
});

scenario('tools: createAndRunStream and its outputs', async () => {
  const { assistant_id } = await prepare('tools-1-then-text-2', ['rain']);
  const first = await follow(threads.createAndRunStream({ assistant_id }));
  keep(first.run.thread_id);
  checkCalls(first, ['rain'], ['connect', 'thread.created', ...OPENING]);
  await checkAnswer(await follow(submit(first.run)), first.run, 2);
});

scenario('tools: stream: true on submit', async () => {
  const { assistant_id, thread_id } = await prepare('tools-2-then-text-2', ['rain', 'wind']);
  const begun = await collect(await runs.create(thread_id, { assistant_id, stream: true }));
  assert.deepEqual(names(begun), [...OPENING, ...callTurn(2), 'thread.run.requires_action']);
  const run = last(begun, 'thread.run.requires_action');
  const body = { tool_outputs: outputs(run), stream: true };
  const events = await collect(await by.submit(thread_id, run.id, body));
  assert.deepEqual(names(events), [...RESUMED, ...textTurn(2), 'thread.run.completed']);
  assert.deepEqual(events[0].data.step_details.tool_calls, answered(run));
  // The same submission once more is the same stream: a lost answer may be asked for again.
  assert.deepEqual(await collect(await by.submit(thread_id, run.id, body)), events);
});

scenario('tools: calls whose pieces come mixed are streamed one after the other', async () => {
  const { assistant_id, thread_id } = await prepare('text-1', ['rain', 'wind']);
  const piece = (index, given, id, name) => ({
    delta: { tool_calls: [{ index, id, type: 'function', function: { name, arguments: given } }] },
  });
  await script([
    piece(0, '', 'call_mixed_a', 'rain'), piece(1, '{"n"', 'call_mixed_b', 'wind'),
    piece(0, '{"n'), piece(1, ': 1'), piece(0, '": 0}'), piece(1, '}'),
  ]);
  const seen = await follow(runs.stream(thread_id, { assistant_id }));
  assert.deepEqual(wanted(seen.run), [call('rain', 0), call('wind', 1)]);
  const done = seen.given.toolCallDone.map(([made]) => [made.id, made.function.arguments]);
  assert.deepEqual(done, [['call_mixed_a', '{"n": 0}'], ['call_mixed_b', '{"n": 1}']]);
  await by.cancelRun(thread_id, seen.run.id);
});

scenario('tools: createAndPoll and submitToolOutputsAndPoll over two rounds', async () => {
  const model = 'tools-3-then-tools-1-then-text-5';
  const { assistant_id, thread_id } = await prepare(model, ['rain', 'wind', 'snow']);
  let run = await runs.createAndPoll(thread_id, { assistant_id });
  for (const functions of [['rain', 'wind', 'snow'], ['rain']]) {
    assert.equal(run.status, 'requires_action');
    assert.deepEqual(wanted(run), functions.map(call));
    run = await by.submitAndPoll(thread_id, run.id, { tool_outputs: outputs(run) });
  }
  assert.equal(run.status, 'completed');
  assert.equal(run.required_action, null);
  const [answer] = (await messages.list(thread_id)).data;
  assert.equal(answer.content[0].text.value, words(5));
});

scenario('tools: createAndRun, submitToolOutputs, poll', async () => {
  const { assistant_id } = await prepare('tools-1-then-text-2', ['rain']);
  const made = await threads.createAndRun({
    assistant_id,
    thread: { messages: [{ role: 'user', content: 'Will it rain?' }] },
    tools: [functionTool('snow')],
  });
  keep(made.thread_id);
  assert.equal(made.status, 'queued');
  assert.deepEqual(made.tools, [functionTool('snow')]);
  const waiting = await by.poll(made.thread_id, made.id);
  assert.deepEqual(wanted(waiting), [call('snow', 0)]);
  const body = { tool_outputs: outputs(waiting) };
  const resumed = await by.submit(made.thread_id, made.id, body);
  assert.equal(resumed.id, made.id);
  assert.equal(resumed.required_action, null);
  const run = await by.poll(made.thread_id, made.id);
  assert.equal(run.status, 'completed');
  const { data: steps } = await by.listSteps(run.thread_id, run.id);
  assert.deepEqual(steps.map((step) => [step.type, step.status]), [
    ['message_creation', 'completed'], ['tool_calls', 'completed'],
  ]);
  assert.deepEqual(steps[1].step_details.tool_calls, answered(waiting));
});

scenario('tools: outputs that do not fit are refused, and the run goes on waiting', async () => {
  const { assistant_id, thread_id } = await prepare('tools-2-then-text-1', ['rain', 'wind']);
  const waiting = await runs.createAndPoll(thread_id, { assistant_id });
  const [one, two] = outputs(waiting);
  for (const given of [[one], [one, one], [one, two, { ...two, tool_call_id: 'call_other' }]]) {
    for (const send of [by.submit, by.submitAndPoll, (...how) => by.submitStream(...how).done()]) {
      const error = await failure(() => send(thread_id, waiting.id, { tool_outputs: given }));
      assert.ok(error instanceof age.OpenAI.BadRequestError);
      assert.match(error.message, /^400 Expected tool outputs for call_ids \['call_/);
    }
  }
  assert.deepEqual(await by.retrieveRun(thread_id, waiting.id), waiting);
  const done = await by.submitAndPoll(thread_id, waiting.id, { tool_outputs: [two, one] });
  assert.equal(done.status, 'completed');
  const late = [{ ...one, output: 'something else' }, two];
  const error = await failure(() => by.submit(thread_id, waiting.id, { tool_outputs: late }));
  assert.equal(error.message, '400 Runs in status "completed" do not accept tool outputs.');
});

scenario('tools: a run that waits is cancelled', async () => {
  const { assistant_id, thread_id } = await prepare('tools-1-then-text-1', ['rain']);
  const { run: waiting } = await follow(runs.stream(thread_id, { assistant_id }));
  const cancelled = await by.cancelRun(thread_id, waiting.id);
  assert.equal(cancelled.status, 'cancelled');
  assert.equal(cancelled.required_action, null);
  assert.deepEqual(await wait(waiting, 'cancelled'), cancelled);
  const { data: [step] } = await by.listSteps(thread_id, waiting.id);
  assert.equal(step.status, 'cancelled');
  const body = { tool_outputs: outputs(waiting) };
  const error = await failure(() => by.submitStream(thread_id, waiting.id, body).finalRun());
  assert.ok(error instanceof age.OpenAI.BadRequestError);
  assert.equal(error.message, '400 Runs in status "cancelled" do not accept tool outputs.');
});
