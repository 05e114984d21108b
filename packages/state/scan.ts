import type { Entry, Space, Store } from './port.ts';

const PAGE = 1000;

/** Every entry of a space, or of one lane of it, page by page. */
export async function* scanAll(
  store: Pick<Store, 'scan'>,
  space: Space,
  lane?: number,
): AsyncGenerator<Entry> {
  const within = lane === undefined ? {} : { lane };
  let after: { lane: number; key: string } | undefined;
  for (;;) {
    const page = await store.scan(space, { ...within, limit: PAGE, ...(after && { after }) });
    yield* page;
    after = page.at(-1);
    if (after === undefined) return;
  }
}
