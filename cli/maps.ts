import type { Command } from 'commander';
import { objectsVerb } from './shared/objects.ts';

export const mapsVerb = (program: Command): void => objectsVerb(program, 'maps', 'map');
