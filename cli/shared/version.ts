import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const PACKAGE = resolve(import.meta.dirname, '../../package.json');

/** Of the product. */
export const VERSION: string = JSON.parse(readFileSync(PACKAGE, 'utf8')).version;
