// What every stream of events must keep to: the rules by which the newest openai-node rejects a
// stream, and those of the original service. Looks at wire events alone, `{event, data}`.
import assert from 'node:assert/strict';

const RESTING = ['requires_action', 'completed', 'incomplete', 'failed', 'cancelled', 'expired'];
const KNOWN = {
  'thread.run': ['created', 'queued', 'in_progress', 'cancelling', ...RESTING],
  'thread.run.step': [
    'created', 'in_progress', 'delta', 'completed', 'failed', 'cancelled', 'expired',
  ],
  'thread.message': ['created', 'in_progress', 'delta', 'completed', 'incomplete'],
};

/** Goes over the events of one run in order; throws at the first that breaks a rule. */
class Reader {
  ids = new Set(); // of all messages and steps
  message = null; // the open one, as created
  step = null;
  parts = []; // what the open message grew to
  calls = []; // what the open step grew to
  ended = false;

  read({ event, data }, first) {
    assert.ok(!this.ended, `${event} after the run's end`);
    if (event === 'thread.created') {
      assert.ok(first, `${event} is not the first`);
      return;
    }
    const [, kind, verb] = event.match(/^(.*)\.(\w+)$/);
    assert.ok(KNOWN[kind]?.includes(verb), `nobody knows ${event}`);
    assert.equal(data.object, verb === 'delta' ? event : kind);
    assert.match(data.id, { 'thread.run': /^run_/, 'thread.run.step': /^step_/ }[kind] ?? /^msg_/);
    if (kind === 'thread.run') this.readRun(verb, data);
    if (kind === 'thread.run.step') this.readStep(verb, data);
    if (kind === 'thread.message') this.readMessage(verb, data);
  }

  readRun(verb, run) {
    assert.equal(run.status, verb === 'created' ? 'queued' : verb);
    const waiting = verb === 'requires_action';
    const ending = RESTING.includes(verb) && !waiting;
    assert.equal(run.required_action !== null, waiting, 'required_action');
    assert.equal(run.expires_at === null, ending, 'expires_at');
    assert.equal(run.last_error !== null, verb === 'failed', 'last_error');
    assert.equal(run.incomplete_details !== null, verb === 'incomplete', 'incomplete_details');
    if (!ending) assert.equal(run.usage, null, 'usage before the end');
    if (waiting) {
      const wanted = run.required_action.submit_tool_outputs.tool_calls;
      const open = this.calls.map((call) => structuredClone(call));
      for (const call of open) delete call.function.output;
      assert.deepEqual(wanted, open);
      assert.equal(this.step?.type, 'tool_calls', 'no tool step is open');
    }
    if (ending || waiting) assert.equal(this.message, null, 'a message is open at rest');
    if (ending) assert.equal(this.step, null, 'a step is open at the end');
    this.ended = ending;
  }

  readStep(verb, step) {
    if (verb === 'created') {
      assert.equal(this.step, null, 'two steps are open');
      this.open(step);
      assert.equal(step.status, 'in_progress');
      if (step.type === 'tool_calls') assert.deepEqual(step.step_details.tool_calls, []);
      this.step = step;
      this.calls = [];
      return;
    }
    assert.equal(step.id, this.step?.id, `${verb} of a step that is not open`);
    if (verb === 'delta') {
      this.growStep(step.delta);
      return;
    }
    assert.equal(step.status, verb);
    if (verb === 'in_progress') {
      assert.deepEqual(step, this.step);
      return;
    }
    assert.equal(step.last_error !== null, verb === 'failed', 'last_error of a step');
    if (step.type === 'tool_calls') this.closeCalls(verb, step.step_details.tool_calls);
    this.step = null;
  }

  growStep(delta) {
    assert.deepEqual(Object.keys(delta), ['step_details'], 'a delta holds only what grew');
    assert.deepEqual(Object.keys(delta.step_details), ['type', 'tool_calls']);
    assert.equal(delta.step_details.type, 'tool_calls');
    for (const { index, type, id, ...more } of delta.step_details.tool_calls) {
      assert.equal(type, 'function');
      assert.deepEqual(Object.keys(more), ['function']);
      if (index === this.calls.length) {
        assert.match(id, /./);
        assert.deepEqual(more.function, { name: more.function.name, arguments: '', output: null });
        this.calls.push({ id, type, ...structuredClone(more) });
      } else {
        assert.equal(index, this.calls.length - 1, 'calls come one after the other');
        assert.equal(id, undefined, 'a call gets its id once');
        assert.deepEqual(Object.keys(more.function), ['arguments']);
        this.calls[index].function.arguments += more.function.arguments;
      }
    }
  }

  closeCalls(verb, calls) {
    const grown = calls.map((call) => ({ ...call, function: { ...call.function, output: null } }));
    assert.deepEqual(grown, this.calls);
    for (const call of calls) {
      assert.equal(typeof call.function.output === 'string', verb === 'completed', 'output');
    }
  }

  readMessage(verb, message) {
    if (verb === 'created') {
      assert.equal(this.message, null, 'two messages are open');
      this.open(message);
      assert.equal(message.status, 'in_progress');
      assert.deepEqual(message.content, []);
      assert.equal(this.step?.step_details.message_creation.message_id, message.id);
      this.message = message;
      this.parts = [];
      return;
    }
    assert.equal(message.id, this.message?.id, `${verb} of a message that is not open`);
    if (verb === 'delta') {
      this.growMessage(message.delta);
      return;
    }
    assert.equal(message.status, verb);
    if (verb === 'in_progress') {
      assert.deepEqual(message, this.message);
      return;
    }
    if (this.parts.length) assert.deepEqual(message.content, this.parts);
    assert.equal(message.incomplete_details !== null, verb === 'incomplete');
    assert.equal(message.completed_at !== null, verb === 'completed');
    this.message = null;
  }

  growMessage(delta) {
    assert.deepEqual(Object.keys(delta), ['content'], 'a delta holds only what grew');
    for (const { index, type, ...part } of delta.content) {
      if (index === this.parts.length) {
        if (type === 'text') assert.deepEqual(part.text.annotations, []);
        this.parts.push({ type, ...structuredClone(part) });
        continue;
      }
      assert.equal(index, this.parts.length - 1, 'parts come one after the other');
      assert.equal(type, this.parts[index].type);
      if (type === 'text') {
        assert.deepEqual(Object.keys(part.text), ['value']);
        this.parts[index].text.value += part.text.value;
      } else {
        assert.deepEqual(Object.keys(part), ['refusal']);
        this.parts[index].refusal += part.refusal;
      }
    }
  }

  open({ id }) {
    assert.ok(!this.ids.has(id), `${id} was used before`);
    this.ids.add(id);
  }
}

/** The log of a run that rests, from its first event on. */
export function check(events) {
  const reader = new Reader();
  events.forEach((event, i) => reader.read(event, i === 0));
  const at = events.at(-1).event;
  assert.ok(RESTING.some((status) => at === `thread.run.${status}`), `the log ends with ${at}`);
}
