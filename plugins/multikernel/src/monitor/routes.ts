import type { Topology } from '@rpal/hw-x86';

/** How a monitor reaches all others. `broadcast`: by one line that all of them watch. `numa`: a multicast that begins with the farthest socket. */
export const ROUTES = ['broadcast', 'unicast', 'multicast', 'numa'] as const;

export type Route = (typeof ROUTES)[number];

/** Whom each core passes a request on to, in this order. */
export type Tree = ReadonlyMap<number, readonly number[]>;

/**
 * The way of a request from one core to `cores`, itself among them. A multicast goes to one core of each socket, which passes it on to the
 * others there: a socket's cores reach each other faster than other sockets, and requests go on side by side.
 */
export function treeOf(route: Route, root: number, cores: readonly number[], topology: Topology): Tree {
  const others = cores.filter((core) => core !== root);
  if (route === 'unicast' || route === 'broadcast') return new Map([[root, others]]);
  const socketOf = (core: number): number => Math.floor(core / topology.coresPerSocket);
  const bySocket = new Map<number, number[]>();
  for (const core of others) bySocket.set(socketOf(core), [...(bySocket.get(socketOf(core)) ?? []), core]);
  const own = bySocket.get(socketOf(root)) ?? [];
  bySocket.delete(socketOf(root));
  const distance = (core: number): number => topology.hops?.[socketOf(root)]?.[socketOf(core)] ?? 1;
  const heads = [...bySocket.values()].map(([head]) => head as number);
  if (route === 'numa') heads.sort((a, b) => distance(b) - distance(a) || a - b);
  const tree = new Map<number, readonly number[]>([[root, route === 'numa' ? [...heads, ...own] : [...own, ...heads]]]);
  for (const [head, ...rest] of bySocket.values()) tree.set(head as number, rest);
  return tree;
}
