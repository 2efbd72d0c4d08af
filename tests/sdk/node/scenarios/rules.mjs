// The rules of streams are rules: what they forbid is refused by our checker, which goes over the
// log of each run of each scenario, and by the newest SDK. Without this a checker that sees nothing
// would look like a server without faults.
import assert from 'node:assert/strict';

import { AssistantStream } from 'openai/lib/AssistantStream';

import { by, failure, follow, names, outputs, prepare, runs } from '../client.mjs';
import { attach } from '../plain.mjs';
import { scenario } from '../registry.mjs';
import { replay } from '../replay.mjs';
import { check } from '../rules.mjs';

/** The log of a run with calls, two messages and three steps. */
async function wholeLog() {
  const { assistant_id, thread_id } = await prepare('text-2+tools-2-then-text-2', ['rain', 'wind']);
  const waiting = await runs.createAndPoll(thread_id, { assistant_id });
  const { run } = await follow(
    by.submitStream(thread_id, waiting.id, { tool_outputs: outputs(waiting) }),
  );
  return (await attach(run)).map(({ event, data }) => ({ event, data }));
}

/** Where the nth event of this name is; from the end if n is negative. */
const at = (events, name, n = 0) =>
  names(events).reduce((found, seen, i) => (seen === name ? [...found, i] : found), []).at(n);

const find = (events, name, n) => events[at(events, name, n)];
const without = (events, name, n) => events.splice(at(events, name, n), 1);

/** What the newest SDK refuses as well, and its words for it. */
const BROKEN = {
  'an id inside a step delta': {
    refusal: /deltas must not contain an id/,
    damage: (log) => {
      find(log, 'thread.run.step.delta').data.delta.id = 'step_x';
    },
  },
  'a message id used twice': {
    refusal: /creation for message "msg_.*already been created/,
    damage: (log) => {
      const { id } = find(log, 'thread.message.created').data;
      const second = find(log, 'thread.message.created', 1).data.id;
      for (const { data } of log) if (data.id === second) data.id = id;
    },
  },
  'a step id used twice': {
    refusal: /creation for run step "step_.*already been created/,
    damage: (log) => {
      const { id } = find(log, 'thread.run.step.created').data;
      const second = find(log, 'thread.run.step.created', -1).data.id;
      for (const { data } of log) if (data.id === second) data.id = id;
    },
  },
  'two open messages': {
    refusal: /before the active message "msg_.*terminal state/,
    damage: (log) => without(log, 'thread.message.completed'),
  },
  'two open steps': {
    refusal: /before the active run step "step_.*terminal state/,
    damage: (log) => without(log, 'thread.run.step.completed'),
  },
  'a delta before its message': {
    refusal: /no existing snapshot/,
    damage: (log) => without(log, 'thread.message.created'),
  },
  'a delta of a closed message': {
    refusal: /no existing snapshot/,
    damage: (log) => {
      log.splice(at(log, 'thread.message.completed') + 1, 0, find(log, 'thread.message.delta'));
    },
  },
  'a delta of another message': {
    refusal: /does not match the active message/,
    damage: (log) => {
      find(log, 'thread.message.delta').data.id = 'msg_other';
    },
  },
  'a delta of another step': {
    refusal: /does not match the active run step/,
    damage: (log) => {
      find(log, 'thread.run.step.delta').data.id = 'step_other';
    },
  },
  'no end': {
    refusal: /Final run has not been received/,
    damage: (log) => {
      log.splice(at(log, 'thread.run.requires_action'));
    },
  },
};

/** What no SDK looks for, and the original service did not do. */
const WRONG = {
  'an id inside a message delta': (log) => {
    find(log, 'thread.message.delta').data.delta.id = 'msg_x';
  },
  'a delta that was lost': (log) => without(log, 'thread.message.delta', 1),
  'a delta that came twice': (log) => {
    log.splice(at(log, 'thread.message.delta', -1), 0, find(log, 'thread.message.delta', -1));
  },
  'an id of a call sent twice': (log) => {
    find(log, 'thread.run.step.delta', 1).data.delta.step_details.tool_calls[0].id = 'call_x';
  },
  'an event that nobody knows': (log) => {
    log.splice(1, 0, { ...log[0], event: 'thread.run.paused' });
  },
  'usage before the end': (log) => {
    find(log, 'thread.run.requires_action').data.usage = { total_tokens: 1 };
  },
  'something after the end': (log) => log.push(log.at(-1)),
};

/** The damaged log, which the checker refuses. */
function damaged(good, damage, what) {
  const bad = structuredClone(good);
  damage(bad);
  assert.notDeepEqual(bad, good, what);
  assert.throws(() => check(bad), assert.AssertionError, what);
  return bad;
}

scenario('rules: what breaks them is refused', async () => {
  const good = await wholeLog();
  check(good);
  assert.equal((await replay(AssistantStream, good).finalRun()).status, 'completed');
  for (const [what, { damage, refusal }] of Object.entries(BROKEN)) {
    const bad = damaged(good, damage, what);
    const error = await failure(() => replay(AssistantStream, bad).finalRun());
    assert.match(error.message, refusal, what);
  }
  for (const [what, damage] of Object.entries(WRONG)) damaged(good, damage, what);
});
