import type { Io } from './io.js';
import { OutputFile } from './output-file.js';

/** Where `--json` goes. */
export const JSON_HELP = 'write everything to a file as JSON; - is the standard output, and then nothing else goes there';

/** A command's JSON, and whether its text is wanted as well. */
export class JsonOutput {
  /** Whether people read the standard output. */
  readonly textWanted: boolean;
  /** The file that will be there in the end; null if there is none. */
  readonly file: OutputFile | null;
  readonly #write: (text: string) => void;

  /** @param name what the user gave; undefined: no JSON @throws UsageError if a file of that name cannot be written */
  constructor(name: string | undefined, io: Io) {
    this.textWanted = name !== '-';
    this.file = name === undefined || name === '-' ? null : new OutputFile('--json', name);
    this.#write = (text) => {
      if (name === '-') io.data.write(text);
      else this.file?.write(text);
    };
  }

  write(text: string): void {
    this.#write(text);
  }
}
