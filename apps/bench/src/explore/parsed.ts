import { ExploreError } from '@rpal/explore';
import { UsageError } from '../usage.js';

/** Parses an argument by a function that throws ExploreError, whose message becomes the complaint. */
export function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw error instanceof ExploreError ? new UsageError(error.message) : error;
    }
  };
}
