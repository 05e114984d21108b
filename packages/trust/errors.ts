/**
 * The closed list of what can go wrong with trust.
 *
 * | code | meaning |
 * |---|---|
 * | BAD_STATE | no trust state of this model: malformed, out of range or unsorted |
 * | OVER_LIMIT | a collection of a state is above the limit that the model states |
 * | UNKNOWN_SIGNAL | a signal id that is not in the table |
 */
export type TrustErrorCode = 'BAD_STATE' | 'OVER_LIMIT' | 'UNKNOWN_SIGNAL';

export class TrustError extends Error {
  readonly code: TrustErrorCode;
  /** No error of this package goes away by itself. */
  readonly retriable = false;

  constructor(code: TrustErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.name = 'TrustError';
    this.code = code;
  }
}
