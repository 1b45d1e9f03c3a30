/** The `@rpal/` packages that this program runs on, by name; the build writes it (`own-packages.ts` beside `src`). */
declare module 'virtual:own-packages' {
  export const packages: Readonly<Record<string, unknown>>;
}
