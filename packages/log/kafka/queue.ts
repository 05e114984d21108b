import { createRequire } from 'node:module';

/**
 * kafkajs 2.2.4 runs a timer a millisecond on each connection for ever, from the first answer on:
 * it looks for requests that wait, of which there are none, and asks for -1.7e12 ms until the next
 * look. It also looks ten times a second whether a request is too old. Both stay what they are for,
 * without waking a process that has nothing to do (what that saves: docs/internals/cost.md).
 * kafkajs 2.2.4 is pinned, and a test counts the timers.
 */
interface RequestQueue {
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly pending: readonly unknown[];
  readonly inflight: ReadonlyMap<number, Inflight>;
  /** ms since 1970. */
  readonly throttledUntil: number;
  readonly isConnected: () => boolean;
  requestTimeoutIntervalId?: NodeJS.Timeout;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  destroy(): void;
}

interface Inflight {
  readonly sentAt: number;
  readonly requestTimeout: number;
  timeoutRequest(): void;
}

/** Requests that wait for another one's answer are looked at then, and after this at the latest. */
const PENDING_MS = 10;
/** How often the age of requests is looked at: it may be above its bound by that much. */
const TIMEOUT_CHECK_MS = 1000;

function scheduleCheckPendingRequests(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
  const throttledMs = this.throttledUntil - Date.now();
  const look = () => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  };
  this.throttleCheckTimeoutId = setTimeout(look, throttledMs > 0 ? throttledMs : PENDING_MS);
}

function scheduleRequestTimeoutCheck(this: RequestQueue): void {
  if (!this.enforceRequestTimeout) return;
  this.destroy();
  const look = () => {
    for (const request of this.inflight.values()) {
      if (Date.now() - request.sentAt > request.requestTimeout) request.timeoutRequest();
    }
    if (!this.isConnected()) this.destroy();
  };
  const everyMs = Math.min(this.requestTimeout, TIMEOUT_CHECK_MS);
  this.requestTimeoutIntervalId = setInterval(look, everyMs);
}

const require = createRequire(import.meta.url);
const Queue = require('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };

Object.assign(Queue.prototype, { scheduleCheckPendingRequests, scheduleRequestTimeoutCheck });
