/**
 * What can go wrong at the kernel's door.
 *
 * | code | meaning | retriable |
 * |---|---|---|
 * | NOT_BUILT | the addon is not there: run the set-up | no |
 * | NOT_LOADED | no pinned maps: warden-load has not run | no |
 * | NO_PERMISSION | a pin can't be opened by this user | no |
 * | BAD_RECORD | ring or iterator bytes that no program of ours writes | no |
 * | RING_TAMPER | positions that only somebody else can have written | no |
 * | KERNEL | any other errno of bpf(2), mmap or poll | yes |
 */
export type BpfErrorCode =
  | 'NOT_BUILT'
  | 'NOT_LOADED'
  | 'NO_PERMISSION'
  | 'BAD_RECORD'
  | 'RING_TAMPER'
  | 'KERNEL';

export class BpfError extends Error {
  readonly code: BpfErrorCode;
  readonly retriable: boolean;

  constructor(code: BpfErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.name = 'BpfError';
    this.code = code;
    this.retriable = code === 'KERNEL';
  }
}

/** Names the kernel's refusal of `what`. */
export function kernelError(what: string, error: unknown): BpfError {
  const { code, message } = error as NodeJS.ErrnoException;
  const text = `${what}: ${message}`;
  if (code === 'ENOENT') return new BpfError('NOT_LOADED', text, { cause: error });
  if (code === 'EACCES' || code === 'EPERM') {
    return new BpfError('NO_PERMISSION', text, { cause: error });
  }
  if (code === 'EPROTO') return new BpfError('BAD_RECORD', text, { cause: error });
  return new BpfError('KERNEL', text, { cause: error });
}
