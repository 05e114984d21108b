import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { adopted, kept } from './kept.ts';
import { POLICY } from './policy.ts';
import { elsewhere, outside, unreached } from './protected.ts';
import { quiet } from './quiet.ts';
import { racing } from './racing.ts';
import {
  brokenGlass,
  closedToServices,
  floored,
  observed,
  overridden,
  pinnedUp,
  recorded,
  rolledBack,
} from './raises.ts';
import { reflexEnds, reflexWithoutServices } from './reflex.ts';
import { captured, hidden, scanned } from './scanned.ts';
import { fallen, restarted, story } from './story.ts';
import { open } from './support.ts';

/**
 * The guard in mode enforce, one instance for all: each part acts under login uids of its own. The
 * order matters where services are stopped.
 */
// A module with kfuncs of its own, before the policy is loaded: later ones are of no class.
execFileSync('modprobe', ['nf_conntrack']);
// As systemd leaves it: a mount in one namespace is known to the peers.
execFileSync('mount', ['--make-rshared', '/']);
const scene = await open('guard', POLICY);

test('a falling score takes BPF away, from its owner only', () => story(scene));
test('an override typed in the CLI reaches the kernel map', () => overridden(scene));
test('what a program calls is seen, however it is loaded', () => scanned(scene));
test('what it is loaded by makes no difference', () => hidden(scene));
test("the digest is the kernel's own, where it has one", () => captured(scene));
test('a thread that rewrites the program gains nothing', () => racing(scene));
test('bpftool, libbpf and cgroup programs: no refusal', () => quiet(scene));
test('ways that are not bpf(2) are seen, and refused', () => outside(scene));
test('nobody reaches the guard itself', () => unreached(scene));
test('what warden-load starts elsewhere is none of ours', () => elsewhere(scene));
test('a directory of a bpffs is for whom the policy says', () => kept(scene));
test('objects of a protected agent are as hard to reach as ours', () => adopted(scene));
test('with every service killed the refusals go on', () => fallen(scene));
test('break-glass ends by itself, with every service killed', () => brokenGlass(scene));
test('observation, and pins against each other', () => observed(scene));
test('another policy and back leave the maps as they were', () => rolledBack(scene));
test('reflex: the very next call, with no service there', () => reflexWithoutServices(scene));
test('after a restart the state is the same', () => restarted(scene));
test('what was given meanwhile is recorded', () => recorded(scene));
test('a pin raises', () => pinnedUp(scene));
test('a floor holds against evidence', () => floored(scene));
test('a reflex ends when it was acknowledged and its time has passed', () => reflexEnds(scene));
test('no service can raise anybody', () => closedToServices(scene));
test('the end', () => scene.end());
