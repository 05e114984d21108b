import assert from 'node:assert/strict';
import test from 'node:test';
import { isWrong, KERNELS, type Row, runLab, SETTINGS } from './index.ts';

/** Every attack on every kernel, and once more where tasks take the CPU from each other. */
const skip = process.env.WARDEN_DOSE === 'full' ? false : 'full dose only: an hour';
const TRIES = 100_000;

const shown = ({ kernel, setting, attack, got, expected, how }: Row): string =>
  `${kernel} ${setting} ${attack}: ${got}, not ${expected}: ${how}`;

test('no attack gets further than expected, on any kernel', { skip }, async () => {
  const rows = await runLab({ kernels: KERNELS, settings: SETTINGS });
  assert.deepEqual(rows.filter(isWrong).map(shown), []);
});

test('nor with a kernel that is preempted anywhere, racing', { skip }, async () => {
  const rows = await runLab({
    kernels: KERNELS,
    settings: ['enforce'],
    preempt: 'full',
    tries: TRIES,
  });
  assert.deepEqual(rows.filter(isWrong).map(shown), []);
});
