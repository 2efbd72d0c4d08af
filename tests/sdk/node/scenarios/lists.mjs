// Lists: pages, `for await` over all of them, order, limit, cursors, and how many calls it takes.
import assert from 'node:assert/strict';

import { age } from '../ages.mjs';
import {
  assistants, by, failure, keep, messages, outputs, prepare, runs, threads,
} from '../client.mjs';
import { scenario } from '../registry.mjs';
import { watched } from '../traffic.mjs';

const idsOf = (page) => page.data.map(({ id }) => id);

async function iterated(pages) {
  const found = [];
  for await (const { id } of pages) found.push(id);
  return found;
}

/**
 * `made` are the ids of all objects of this list, oldest first; `list` takes a query. `path` is of
 * its calls: a page of `limit` objects takes one, and the last full page no other behind it.
 */
async function pages(made, path, list) {
  const n = made.length;
  for (const [order, ids] of [['asc', made], ['desc', made.toReversed()]]) {
    for (const limit of [1, 2, n - 1, n, 100]) {
      const all = () => iterated(list({ order, limit }));
      const { result, calls } = await watched(/^GET$/, path, all);
      assert.deepEqual(result, ids, `${order} by ${limit}`);
      assert.equal(calls.length, Math.ceil(n / limit), `${order} by ${limit}: calls`);
    }
    const first = await list({ order, limit: 2 });
    assert.deepEqual([idsOf(first), first.has_more], [ids.slice(0, 2), n > 2]);
    assert.equal(first.hasNextPage(), n > 2);
    const second = await first.getNextPage();
    assert.deepEqual(idsOf(second), ids.slice(2, 4));
    assert.deepEqual(await iterated(list({ order, after: ids[0], limit: 2 })), ids.slice(1));
    const before = await list({ order, before: ids[2] });
    assert.deepEqual([idsOf(before), before.has_more], [ids.slice(0, 2), false]);
    const nearest = await list({ order, before: ids[2], limit: 1 });
    assert.deepEqual([idsOf(nearest), nearest.has_more], [[ids[1]], true]);
    const beyond = await list({ order, after: ids[n - 1] });
    assert.deepEqual([idsOf(beyond), beyond.has_more, beyond.hasNextPage()], [[], false, false]);
  }
  assert.deepEqual(idsOf(await list()), made.toReversed(), 'newest first if nothing is said');
}

scenario('lists: runs', async () => {
  const { assistant_id, thread_id } = await prepare('text-1');
  const made = [];
  for (let i = 0; i < 4; i += 1) {
    made.push((await runs.createAndPoll(thread_id, { assistant_id })).id);
  }
  await pages(made, /\/runs(\?|$)/, (query) => runs.list(thread_id, query));
});

scenario('lists: messages, also of one run', async () => {
  const { assistant_id, thread_id } = await prepare('text-1');
  const run = await runs.createAndPoll(thread_id, { assistant_id });
  for (const content of ['Two', 'Three', 'Four']) {
    await messages.create(thread_id, { role: 'user', content });
  }
  const all = (await messages.list(thread_id, { order: 'asc' })).data;
  assert.deepEqual(all.map((message) => message.content[0].text.value), [
    'Hello', 'w0 ', 'Two', 'Three', 'Four',
  ]);
  const made = all.map(({ id }) => id);
  await pages(made, /\/messages(\?|$)/, (query) => messages.list(thread_id, query));
  assert.deepEqual(await iterated(messages.list(thread_id, { run_id: run.id })), [made[1]]);
});

scenario('lists: run steps', async () => {
  const model = 'tools-1-then-tools-1-then-tools-1-then-text-1';
  const { assistant_id, thread_id } = await prepare(model, ['rain']);
  let run = await runs.createAndPoll(thread_id, { assistant_id });
  const made = [];
  for (;;) {
    made.push((await by.listSteps(thread_id, run.id, { limit: 1 })).data[0].id);
    if (run.status === 'completed') break;
    run = await by.submitAndPoll(thread_id, run.id, { tool_outputs: outputs(run) });
  }
  assert.equal(made.length, 4);
  await pages(made, /\/steps(\?|$)/, (query) => by.listSteps(thread_id, run.id, query));
});

scenario('lists: assistants', async () => {
  const made = [];
  for (let i = 0; i < 5; i += 1) made.push((await assistants.create({ model: `m-${i}` })).id);
  // The project has others, made before these.
  const newest = await assistants.list({ limit: 5 });
  assert.deepEqual(idsOf(newest), made.toReversed());
  const later = assistants.list({ order: 'asc', after: made[0], limit: 2 });
  assert.deepEqual(await iterated(later), made.slice(1));
  const before = await assistants.list({ order: 'desc', before: made[2] });
  assert.deepEqual(idsOf(before), [made[4], made[3]]);
  const found = [];
  for await (const { id } of assistants.list({ limit: 2 })) {
    found.push(id);
    if (id === made[0]) break;
  }
  assert.deepEqual(found, made.toReversed());
});

scenario('lists: empty ones', async () => {
  const { id } = await threads.create();
  keep(id);
  for (const list of [runs.list(id), messages.list(id)]) {
    const page = await list;
    assert.deepEqual([page.data, page.has_more, page.hasNextPage()], [[], false, false]);
    assert.deepEqual([page.body.first_id, page.body.last_id], [null, null]);
  }
  assert.deepEqual(await iterated(messages.list(id)), []);
});

scenario('lists: limits and cursors that are refused', async () => {
  const { thread_id } = await prepare('text-1');
  const { BadRequestError, NotFoundError } = age.OpenAI;
  const refused = async (query, kind, code, param) => {
    const error = await failure(() => messages.list(thread_id, query));
    assert.ok(error instanceof kind);
    assert.deepEqual([error.code, error.param], [code, param]);
  };
  await refused({ limit: 101 }, BadRequestError, 'integer_above_max_value', 'limit');
  await refused({ limit: 0 }, BadRequestError, 'integer_below_min_value', 'limit');
  await refused({ order: 'up' }, BadRequestError, 'invalid_value', 'order');
  await refused({ after: `msg_${'A'.repeat(24)}` }, NotFoundError, null, null);
});
