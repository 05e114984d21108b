import { createRequire } from 'node:module';

/**
 * kafkajs 2.2.4 runs a timer a millisecond on each connection for ever, from the first answer on:
 * it looks for requests that wait, of which there are none, and asks for -1.7e12 ms until the next
 * look. It also looks ten times a second whether a request is too old. Both stay what they are for,
 * without waking a process that has nothing to do (what that saves: docs/internals/cost.md).
 *
 * It also notes by the wall clock when a request was sent, until when brokers want to be left alone
 * and when it said last that it is there. After the clock was set back those times lie ahead: a
 * member would be silent until the clock has caught up, and be put out of its group meanwhile. What
 * lies ahead counts from now. kafkajs 2.2.4 is pinned; tests count the timers and set the clock.
 */
interface RequestQueue {
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly pending: readonly unknown[];
  readonly inflight: ReadonlyMap<number, Inflight>;
  /** ms since 1970. */
  throttledUntil: number;
  /** What the clock said when it was looked at last; ours. */
  seenMs?: number;
  readonly isConnected: () => boolean;
  requestTimeoutIntervalId?: NodeJS.Timeout;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  maybeThrottle(forMs: number | null): void;
  canSendSocketRequestImmediately(): boolean;
  checkPendingRequests(): void;
  destroy(): void;
}

interface Inflight {
  sentAt: number;
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
      request.sentAt = Math.min(request.sentAt, Date.now());
      if (Date.now() - request.sentAt > request.requestTimeout) request.timeoutRequest();
    }
    if (!this.isConnected()) this.destroy();
  };
  const everyMs = Math.min(this.requestTimeout, TIMEOUT_CHECK_MS);
  this.requestTimeoutIntervalId = setInterval(look, everyMs);
}

/** Brokers that still want to be left alone say so again. */
function lookAtClock(queue: RequestQueue): void {
  const nowMs = Date.now();
  if (nowMs < (queue.seenMs ?? 0)) queue.throttledUntil = -1;
  queue.seenMs = nowMs;
}

const require = createRequire(import.meta.url);
const Queue = require('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };
const { maybeThrottle, canSendSocketRequestImmediately } = Queue.prototype;

Object.assign(Queue.prototype, {
  scheduleCheckPendingRequests,
  scheduleRequestTimeoutCheck,
  maybeThrottle(this: RequestQueue, forMs: number | null): void {
    lookAtClock(this);
    maybeThrottle.call(this, forMs);
  },
  canSendSocketRequestImmediately(this: RequestQueue): boolean {
    lookAtClock(this);
    return canSendSocketRequestImmediately.call(this);
  },
});

/** What a member is to its group. */
interface ConsumerGroup {
  /** When it said last that it is there, ms since 1970. */
  lastRequest: number;
  heartbeat(options: { readonly interval: number }): Promise<void>;
}

const Group = require('kafkajs/src/consumer/consumerGroup') as { prototype: ConsumerGroup };
const { heartbeat } = Group.prototype;

Group.prototype.heartbeat = function (options) {
  if (this.lastRequest > Date.now()) this.lastRequest = 0;
  return heartbeat.call(this, options);
};
