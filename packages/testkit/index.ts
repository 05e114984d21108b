export { type Dose, dose, seed } from './dose.ts';
export { readEvents, type SeenEvent } from './events.ts';
export { type Placed, place } from './place.ts';
export { descendants, killTree, queuedMs, waitFor } from './processes.ts';
export { Warden, type WardenOptions } from './warden.ts';
export { type Ran, run, type Truth, workload } from './workload.ts';
