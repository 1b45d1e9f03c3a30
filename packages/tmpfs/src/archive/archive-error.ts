/** An archive or a list of files that no tree can be made from. @public for who catches it */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  readonly code = 'INVALID_ARCHIVE';
}
