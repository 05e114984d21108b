import type { Command } from 'commander';
import { objectsVerb } from './shared/objects.ts';

export const progsVerb = (program: Command): void => objectsVerb(program, 'progs', 'prog');
