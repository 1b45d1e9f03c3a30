/** A check of the series that stops the kernel (BUG, panic), or an access that corrupts it. */
export class RpalBug extends Error {
  override readonly name = 'RpalBug';
}
