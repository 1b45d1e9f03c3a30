/**
 * What went wrong: `NO_TABLES`: the pages or PCIDs for page tables are used up, or tables are in use; `NOT_MEMORY`: an address that the guest
 * cannot map; `REFUSED`: the module does not take the thread. @public for programs that catch it
 */
export type DuneErrorCode = 'NO_TABLES' | 'NOT_MEMORY' | 'REFUSED';

/** Wrong use of Dune mode by the program that runs in it. @public for programs that catch it */
export class DuneError extends Error {
  override readonly name = 'DuneError';
  readonly code: DuneErrorCode;

  constructor(code: DuneErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
