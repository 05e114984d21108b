/** Keys of fleets that are measured. */
export const FLEET_KEY = Buffer.alloc(32, 3);
export const CONTROL = Buffer.alloc(32, 9);
