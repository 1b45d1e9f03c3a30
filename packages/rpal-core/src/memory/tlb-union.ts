import type { FlushTargets } from '@rpal/mm';
import { type Rpal, serviceOfMm } from '../rpal.js';

/**
 * A flush of a service concerns the CPUs of all services mapped with it (patch 13): their generations go up, so that
 * their next switch flushes, and their CPUs join the targets.
 */
export function widenFlush(rpal: Rpal, targets: FlushTargets): void {
  const service = serviceOfMm(targets.mm);
  if (service === null) return;
  for (const peer of service.mappedPeers()) {
    peer.mm.tlbGeneration++;
    targets.sharers.push(peer.mm);
    peer.mm.cpuMask.forEach((word, i) => {
      targets.cpus[i] = (targets.cpus[i] as number) | word;
    });
  }
  targets.reachSharers = !rpal.quirk('tlb-range-filter');
}
