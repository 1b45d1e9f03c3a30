/** How pnpm is called: by its name where it is installed, else the pinned version through npx. Program first. */
export function pnpmCommand(): string[];
