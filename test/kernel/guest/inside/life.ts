import test from 'node:test';
import { open } from './support.ts';
import { watched } from './watchdog.ts';

/** The life of the guard itself. Its policy observes: it refuses nothing of what is done to it. */
const scene = await open('life', 'version: 1\nmode: observe\n');

test('a guard that does not run is noticed within two seconds', () => watched(scene));
test('the end', () => scene.end());
