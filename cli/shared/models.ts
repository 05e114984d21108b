import { LANES } from '#event';
import { parseLanePolicy } from '#fold';
import { modelOf as modelOfPolicy, parseCanonical } from '#policy';
import type { Store } from '#state';
import { defaultModel, type Model } from '#trust';

/** The trust model that acts in a lane. */
export type ModelOf = (lane: number) => Model;

/** The models of all lanes, as the fold left them. */
export async function laneModels(store: Store): Promise<ModelOf> {
  const byText = new Map<string, Model>();
  const byLane: Model[] = [];
  for (let lane = 0; lane < LANES; lane++) {
    const stored = await store.get('control', lane, 'policy');
    const text = stored === null ? '' : parseLanePolicy(stored).policy;
    const model =
      byText.get(text) ?? (text === '' ? defaultModel : modelOfPolicy(parseCanonical(text)));
    byText.set(text, model);
    byLane.push(model);
  }
  return (lane) => byLane[lane] ?? defaultModel;
}
