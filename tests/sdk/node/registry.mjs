// The scenarios by name, in the order of their files.
export const scenarios = new Map();

/** Add a scenario; it gets an object for what it measured, and fails by throwing. */
export function scenario(name, play) {
  if (scenarios.has(name)) throw new Error(`two scenarios are called ${name}`);
  scenarios.set(name, play);
}
