/** Draws a number of 0 .. `below` - 1. */
export type Draw = (below: number) => number;

/** Draws from a seed (splitmix32): for tests whose C drivers and models run the same random programs. */
export function stream(seed: number): Draw {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}
