/**
 * The first value of a field that is to hold addresses: null, so that V8 keeps the field tagged. A field that begins as a number is
 * kept unboxed, and each reading of an address above 2^31 from it would allocate a number anew; a tagged field holds a
 * reference to the number that was stored, which costs nothing to store and to read. Give the field its real first value afterwards.
 */
export function taggedNumber(): number {
  return null as unknown as number;
}
