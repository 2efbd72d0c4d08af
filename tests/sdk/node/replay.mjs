// A run's log, read by the stream helper of an SDK as if it came from elsewhere: its own
// `fromReadableStream`, which takes one event per line.

/** A stream helper on these events. */
export function replay(AssistantStream, events) {
  const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
  return AssistantStream.fromReadableStream(new Blob([lines]).stream());
}
