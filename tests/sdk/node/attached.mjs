// One run of any server by attaching to it, given to this age's stream helper: `node attached.mjs
// THREAD RUN` prints as JSON what the helper called and what it made of the run.
import { age } from './ages.mjs';
import { follow } from './client.mjs';
import { attach } from './plain.mjs';
import { replay } from './replay.mjs';
import { check } from './rules.mjs';

const [thread_id, id] = process.argv.slice(2);
const events = (await attach({ thread_id, id })).map(({ event, data }) => ({ event, data }));
check(events);
const { called, run, messages, steps } = await follow(replay(age.AssistantStream, events));
console.log(JSON.stringify({ called, run, messages, steps }));
