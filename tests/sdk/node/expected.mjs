// The events and the handlers of the turns that the scripted model takes, in order.
import { age } from './ages.mjs';

export const OPENING = ['thread.run.created', 'thread.run.queued', 'thread.run.in_progress'];
export const RESUMED = [
  'thread.run.step.completed',
  'thread.run.queued',
  'thread.run.in_progress',
];

const repeated = (n, ...names) => Array.from({ length: n }, () => names).flat();
const STEP_OPENS = ['thread.run.step.created', 'thread.run.step.in_progress'];
const MESSAGE_OPENS = [...STEP_OPENS, 'thread.message.created', 'thread.message.in_progress'];

/** The events of a turn of n tokens, up to how its message and step end. */
export function textTurn(n, message = 'completed', step = 'completed') {
  return [
    ...MESSAGE_OPENS,
    ...repeated(n, 'thread.message.delta'),
    `thread.message.${message}`,
    `thread.run.step.${step}`,
  ];
}

/**
 * The events of a turn of n calls: each is announced, then has its arguments. The scripted model
 * sends these in two fragments; behind text they wait for the message's end and come in one.
 */
export function callTurn(n, fragments = 2) {
  return [...STEP_OPENS, ...repeated(n * (1 + fragments), 'thread.run.step.delta')];
}

/** The same turns with what the stream helper calls after each event. */
export const called = {
  opening: ['connect', ...OPENING],
  resumed: [
    'connect',
    'thread.run.step.completed', 'runStepDone',
    'thread.run.queued',
    'thread.run.in_progress',
  ],
  textTurn: (n, message = 'completed', step = 'completed') => [
    'thread.run.step.created', 'runStepCreated',
    'thread.run.step.in_progress',
    'thread.message.created', 'messageCreated',
    'thread.message.in_progress',
    'thread.message.delta', 'textCreated', 'messageDelta', 'textDelta',
    ...repeated(n - 1, 'thread.message.delta', 'messageDelta', 'textDelta'),
    `thread.message.${message}`, 'textDone', 'messageDone',
    `thread.run.step.${step}`, 'runStepDone',
  ],
  // The SDK takes a call for done when the next one or the run's pause comes.
  callTurn: (n, fragments = 2) => [
    'thread.run.step.created', 'runStepCreated',
    'thread.run.step.in_progress',
    ...Array.from({ length: n }, (_, i) => [
      'thread.run.step.delta', ...(i ? ['toolCallDone'] : []), 'toolCallCreated', 'runStepDelta',
      ...repeated(fragments, 'thread.run.step.delta', 'toolCallDelta', 'runStepDelta'),
    ]).flat(),
    'thread.run.requires_action', 'toolCallDone',
  ],
  end: age.emitsRun ? ['run', 'end'] : ['end'],
};
