/** How much of a proof is run: gate in `npm test`, full in `npm run test:long`. */
export type Dose = 'gate' | 'full';

export const dose: Dose = process.env.WARDEN_DOSE === 'full' ? 'full' : 'gate';

/** The seed of this run's random choices: WARDEN_SEED, else a new one; tests print it. */
export const seed: number = Number(process.env.WARDEN_SEED ?? Math.floor(Math.random() * 2 ** 31));
