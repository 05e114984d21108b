import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogError } from '#log';
import { closeAfter } from '../../../cli/fleet/serve.ts';

const LIMIT_MS = 20;
const denied = new LogError('DENIED', 'no right to the group');
const asked = () => Promise.resolve();
const fails = (error: unknown) => () => Promise.reject(error);
const hangs = () => new Promise<void>(() => undefined);

test('asked to end, a service closes and says nothing', async () => {
  let closed = 0;
  const close = async () => {
    closed += 1;
  };
  assert.equal(await closeAfter(asked(), close, LIMIT_MS), null);
  assert.equal(closed, 1);
});

test('what ended the work is what is said, also where closing is late or fails', async () => {
  assert.deepEqual(await closeAfter(fails(denied)(), hangs, LIMIT_MS), { cause: denied });
  const other = new Error('closing');
  await assert.rejects(closeAfter(fails(denied)(), fails(other), LIMIT_MS), denied);
  await assert.rejects(closeAfter(fails(denied)(), asked, LIMIT_MS), denied);
});

test('late closing has no cause where nothing failed; what it says is thrown', async () => {
  assert.deepEqual(await closeAfter(asked(), hangs, LIMIT_MS), { cause: null });
  const other = new Error('closing');
  await assert.rejects(closeAfter(asked(), fails(other), LIMIT_MS), other);
});
