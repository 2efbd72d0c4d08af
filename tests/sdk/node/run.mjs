// Plays scenarios with the age that OPENAI_AGE names: `node run.mjs [NAME...]`, all without names.
//
// Prints JSON, one line each: the age and all scenarios' names, then every played scenario as it
// ends, with its `error` (null if all was well) and the `notes` it made.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { inspect } from 'node:util';

import { AssistantStream } from 'openai/lib/AssistantStream'; // the strictest, the newest

import { age } from './ages.mjs';
import { journal } from './client.mjs';
import { attach, get } from './plain.mjs';
import { scenarios } from './registry.mjs';
import { replay } from './replay.mjs';
import { check } from './rules.mjs';

const SECONDS = 90; // for one scenario, on a machine that is busy with other things

/** The runs of all kept threads rest, and their logs keep to the rules and to what was seen. */
async function checkLogs() {
  const logs = [];
  for (const thread of journal.threads) {
    const answer = await get(`/threads/${thread}/runs?limit=100`);
    if (answer.status === 404) continue; // the scenario deleted it
    for (const run of (await answer.json()).data) {
      const events = (await attach(run)).map(({ event, data }) => ({ event, data }));
      check(events);
      assert.deepEqual(await replay(AssistantStream, events).finalRun(), events.at(-1).data);
      logs.push(events);
    }
  }
  // What a stream delivered is a piece of its run's log, without a gap.
  for (const seen of journal.streams.filter((events) => events.length)) {
    const found = logs.some((log) => {
      const start = log.findIndex(({ event, data }) => isSame({ event, data }, seen[0]));
      return start >= 0 && isSame(log.slice(start, start + seen.length), seen);
    });
    assert.ok(found, `a stream is not in any log: ${seen.map(({ event }) => event)}`);
  }
}

function isSame(one, other) {
  try {
    assert.deepEqual(one, other);
    return true;
  } catch {
    return false;
  }
}

async function play(name) {
  const notes = {};
  journal.threads.clear();
  journal.streams.length = 0;
  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  const late = setTimeout(() => fail(new Error(`not done after ${SECONDS} s`)), SECONDS * 1000);
  process.on('unhandledRejection', fail);
  try {
    await Promise.race([failed, scenarios.get(name)(notes).then(checkLogs)]);
    return { scenario: name, error: null, notes };
  } catch (error) {
    return { scenario: name, error: inspect(error, { depth: 8 }), notes };
  } finally {
    clearTimeout(late);
    process.off('unhandledRejection', fail);
  }
}

const files = readdirSync(new URL('scenarios/', import.meta.url)).sort();
for (const file of files) await import(new URL(`scenarios/${file}`, import.meta.url));
const say = (line) =>
  new Promise((done) => process.stdout.write(`${JSON.stringify(line)}\n`, done));
await say({ age: age.name, version: age.version, scenarios: [...scenarios.keys()] });
const wanted = process.argv.slice(2);
for (const name of wanted.length ? wanted : scenarios.keys()) await say(await play(name));
process.exit(); // connections that are kept alive would hold the process
