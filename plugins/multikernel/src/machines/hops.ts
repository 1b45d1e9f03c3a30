/** Links on the shortest way between each two of `sockets` sockets, of which `links` names those with a link between them. */
export function hopsOf(sockets: number, links: readonly (readonly [number, number])[]): number[][] {
  const neighbours = Array.from({ length: sockets }, (_, socket) =>
    links.filter((link) => link.includes(socket)).map(([a, b]) => (a === socket ? b : a)),
  );
  return neighbours.map((_, from) => {
    const hops = new Array<number>(sockets).fill(Number.POSITIVE_INFINITY);
    hops[from] = 0;
    for (const queue = [from]; queue.length > 0; ) {
      const at = queue.shift() as number;
      for (const next of neighbours[at] as number[]) {
        if (hops[next] !== Number.POSITIVE_INFINITY) continue;
        hops[next] = (hops[at] as number) + 1;
        queue.push(next);
      }
    }
    return hops;
  });
}
