export { KERNELS } from '../kernel/guest/index.ts';
export { isWrong } from './judge.ts';
export { type LabOptions, runLab } from './lab.ts';
export { table } from './table.ts';
export { type Row, SETTINGS } from './types.ts';
