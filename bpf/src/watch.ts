import { kernelError } from './errors.ts';
import { native, type WatchHandle } from './native.ts';

/**
 * Tells when one of some fds can be read, through the event loop of this thread. It does not keep
 * a process alive, and nobody hears of anything once it is held by nobody.
 */
export class Watch {
  private readonly handle: WatchHandle;

  /** `ready`: called once after each `arm`, at most. Throws `BpfError`. */
  constructor(fds: readonly number[], ready: () => void) {
    try {
      this.handle = native().watchOpen(fds, ready);
    } catch (error) {
      throw kernelError(`fds ${fds.join(', ')}`, error);
    }
  }

  /** From now on tells of those fds whose bit is set, and of no other. */
  arm(mask: number): void {
    native().watchArm(this.handle, mask);
  }

  /** Before any of the fds is closed. */
  close(): void {
    native().watchClose(this.handle);
  }
}
