/** `into`, which is longer than `array`, beginning with what that holds. */
export function grown<T extends Float64Array | Int32Array | Uint8Array>(into: T, array: T): T {
  into.set(array);
  return into;
}
