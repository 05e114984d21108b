/** Exit codes, from sysexits.h where it has one. */
export const EXIT = {
  ok: 0,
  /** Something was found wrong: doctor, verify, policy check. */
  findings: 1,
  usage: 64,
  data: 65,
  unavailable: 69,
  software: 70,
  cannotCreate: 73,
  temporary: 75,
  noPermission: 77,
  config: 78,
} as const;

/** A failure told in one line: what, where, what to do. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
