// The ages of openai-node that users have, side by side: OPENAI_AGE says which one is played.
//
// Scenarios are the same for all ages. What differs is here, and nowhere else: where the methods
// take ids (`calls`), what a few things are called, and what the stream helper leaves its users.
import { readFileSync } from 'node:fs';

const PACKAGES = { 4: 'openai-4', 7: 'openai-7', newest: 'openai' };

/** 4.x: every id is an argument of its own, the outermost first. */
function positional({ assistants, threads }) {
  const { messages, runs } = threads;
  return {
    deleteAssistant: (id) => assistants.del(id),
    deleteThread: (id) => threads.del(id),
    retrieveMessage: (thread, id) => messages.retrieve(thread, id),
    updateMessage: (thread, id, body) => messages.update(thread, id, body),
    deleteMessage: (thread, id) => messages.del(thread, id),
    retrieveRun: (thread, id) => runs.retrieve(thread, id),
    updateRun: (thread, id, body) => runs.update(thread, id, body),
    cancelRun: (thread, id) => runs.cancel(thread, id),
    poll: (thread, id, options) => runs.poll(thread, id, options),
    submit: (thread, id, body) => runs.submitToolOutputs(thread, id, body),
    submitAndPoll: (thread, id, body) => runs.submitToolOutputsAndPoll(thread, id, body),
    submitStream: (thread, id, body) => runs.submitToolOutputsStream(thread, id, body),
    listSteps: (thread, run, query) => runs.steps.list(thread, run, query),
    retrieveStep: (thread, run, id) => runs.steps.retrieve(thread, run, id),
  };
}

/** Since 5.0: the innermost id is an argument, the others are fields of the parameters. */
function named({ assistants, threads }) {
  const { messages, runs } = threads;
  return {
    deleteAssistant: (id) => assistants.delete(id),
    deleteThread: (id) => threads.delete(id),
    retrieveMessage: (thread_id, id) => messages.retrieve(id, { thread_id }),
    updateMessage: (thread_id, id, body) => messages.update(id, { thread_id, ...body }),
    deleteMessage: (thread_id, id) => messages.delete(id, { thread_id }),
    retrieveRun: (thread_id, id) => runs.retrieve(id, { thread_id }),
    updateRun: (thread_id, id, body) => runs.update(id, { thread_id, ...body }),
    cancelRun: (thread_id, id) => runs.cancel(id, { thread_id }),
    poll: (thread_id, id, options) => runs.poll(id, { thread_id }, options),
    submit: (thread_id, id, body) => runs.submitToolOutputs(id, { thread_id, ...body }),
    submitAndPoll: (thread_id, id, body) =>
      runs.submitToolOutputsAndPoll(id, { thread_id, ...body }),
    submitStream: (thread_id, id, body) =>
      runs.submitToolOutputsStream(id, { thread_id, ...body }),
    listSteps: (thread_id, run, query) => runs.steps.list(run, { thread_id, ...query }),
    retrieveStep: (thread_id, run_id, id) => runs.steps.retrieve(id, { thread_id, run_id }),
  };
}

/** In 4.104 and 7.4 `finalMessages` are the messages as created, with what their deltas brought. */
function accumulated(message) {
  const content = message.content.map((part, index) => ({ index, ...part }));
  const ended = { completed_at: null, incomplete_at: null, incomplete_details: null };
  return { ...message, ...ended, status: 'in_progress', content };
}

const AGES = {
  4: {
    calls: positional,
    requestId: (error) => error.request_id,
    finalMessage: accumulated,
    // Its helper does not take `thread.run.incomplete` for an end, and rejects.
    knowsIncomplete: false,
    emitsRun: false,
  },
  7: {
    calls: named,
    requestId: (error) => error.requestID,
    finalMessage: accumulated,
    knowsIncomplete: true,
    emitsRun: false,
  },
  newest: {
    calls: named,
    requestId: (error) => error.requestID,
    finalMessage: (message) => message,
    knowsIncomplete: true,
    emitsRun: true, // an event `run` before `end`
  },
};

const name = process.env.OPENAI_AGE;
const manifest = new URL(`node_modules/${PACKAGES[name]}/package.json`, import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
const { default: OpenAI } = await import(PACKAGES[name]);
const { AssistantStream } = await import(`${PACKAGES[name]}/lib/AssistantStream`);

/** The age that is played. */
export const age = { name, version, OpenAI, AssistantStream, ...AGES[name] };
