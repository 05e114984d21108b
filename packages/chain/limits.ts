/** Events of a frame, at most. */
export const MAX_FRAME_EVENTS = 256;
/** Bytes of an encoded frame, at most. */
export const MAX_FRAME_BYTES = 64 * 1024;
/** Bytes of one event, at most: leaves room for all else that a frame holds. */
export const MAX_EVENT_BYTES = 60 * 1024;
