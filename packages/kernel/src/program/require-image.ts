import { shown } from '@rpal/bus';
import { MachineError } from '../errors.js';
import { EI_NIDENT, type Image, type ImageSegment } from '../process/image.js';

/** @param call who was given the image, for the message @throws MachineError NOT_EXECUTABLE for what is none */
export function requireImage(call: string, image: unknown): asserts image is Image {
  const refusal = (what: string) => new MachineError('NOT_EXECUTABLE', `${call} was given ${what}`);
  const remedy = "make one: executable('name', function* (p) { ... })";
  if (typeof image !== 'object' || image === null) throw refusal(`${shown(image)} for an executable; ${remedy}`);
  const { name, ident, segments, start } = image as Partial<Image>;
  if (typeof name !== 'string' || name === '') throw refusal(`an executable whose name is ${shown(name)}; ${remedy}`);
  if (!(ident instanceof Uint8Array) || ident.length !== EI_NIDENT) {
    throw refusal(`executable "${name}", whose ident is ${shown(ident)}; give a Uint8Array of ${EI_NIDENT} bytes, or ${remedy}`);
  }
  if (!Array.isArray(segments) || !segments.every(isSegment)) {
    throw refusal(`executable "${name}" with segments that are none; give an array of { address, bytes, prot }`);
  }
  if (typeof start !== 'function') throw refusal(`executable "${name}", which has ${shown(start)} to start it; ${remedy}`);
}

function isSegment(segment: unknown): boolean {
  const { address = -1, bytes = -1, prot = -1 } = (segment ?? {}) as Partial<ImageSegment>;
  return address >= 0 && bytes >= 0 && prot >= 0 && prot <= 7;
}
