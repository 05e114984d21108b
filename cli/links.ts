import type { Command } from 'commander';
import { objectsVerb } from './shared/objects.ts';

export const linksVerb = (program: Command): void => objectsVerb(program, 'links', 'link');
