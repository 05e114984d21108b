export { GuestError, type GuestJob, type GuestRun, runGuest, runGuests } from './boot.ts';
export { KERNELS, type Kernel } from './kernels.ts';
