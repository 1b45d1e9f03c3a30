import type { Way } from './call-shapes.js';
import type { LaidCall } from './laid-call.js';
import { numberOf } from './trace-files.js';
import type { Value } from './trace-value.js';

const SCM_RIGHTS = 1;

/** `struct sockaddr_un`. */
export function* laySocketAddress(laid: LaidCall, value: Value): Generator<void, number> {
  const { p } = laid;
  const at = yield* laid.cleared(128);
  if (value.kind !== 'struct') return at;
  yield* p.store16(at, numberOf(value.fields.get('sa_family')));
  const path = value.fields.get('sun_path');
  const abstract = path?.kind === 'words' ? /^@"(.*)"$/.exec(path.text)?.[1] : undefined;
  if (path?.kind === 'bytes') yield* p.storeBytes(at + 2, path.bytes);
  if (abstract !== undefined) yield* p.storeBytes(at + 3, new TextEncoder().encode(abstract));
  return at;
}

/** `struct iovec[]`, and the memory that it leads to. */
export function* layVector(laid: LaidCall, value: Value, way: Way): Generator<void, number> {
  const { p, scratch } = laid;
  const items = value.kind === 'list' ? value.items : [];
  const at = scratch.room(16 * items.length + 16);
  let left = laid.call.result ?? 0;
  for (const [i, item] of items.entries()) {
    if (item.kind !== 'struct') continue;
    const base = item.fields.get('iov_base');
    const length = numberOf(item.fields.get('iov_len'));
    const bytes = base?.kind === 'bytes' ? base.bytes : new Uint8Array();
    const memory = scratch.room(Math.max(length, 16));
    if (way === '>') {
      if (bytes.length > 0) yield* p.storeBytes(memory, bytes);
    } else {
      laid.bytesAfterwards(memory, bytes.subarray(0, Math.max(0, Math.min(left, length))), `piece ${i}`);
      left -= length;
    }
    yield* p.store64(at + 16 * i, memory);
    yield* p.store64(at + 16 * i + 8, length);
  }
  return at;
}

/** `struct msghdr` with descriptors and credentials. */
export function* layMessage(laid: LaidCall, value: Value, way: Way): Generator<void, number> {
  const { p } = laid;
  const at = yield* laid.cleared(56);
  if (value.kind !== 'struct') return at;
  const { fields } = value;
  const name = fields.get('msg_name');
  if (way === '>' && name?.kind === 'struct') {
    yield* p.store64(at, yield* laySocketAddress(laid, name));
    yield* p.store32(at + 8, numberOf(fields.get('msg_namelen')));
  }
  const vector = fields.get('msg_iov');
  if (vector?.kind === 'list') {
    yield* p.store64(at + 16, yield* layVector(laid, vector, way));
    yield* p.store64(at + 24, vector.items.length);
  }
  const control = fields.get('msg_control');
  const controlBytes = numberOf(fields.get('msg_controllen'));
  if (controlBytes > 0) {
    const memory = yield* laid.cleared(Math.max(controlBytes, 256));
    yield* p.store64(at + 32, memory);
    yield* p.store64(at + 40, controlBytes);
    if (control?.kind === 'list') yield* layControl(laid, memory, control.items, way);
  }
  return at;
}

function* layControl(laid: LaidCall, memory: number, items: readonly Value[], way: Way): Generator<void, void> {
  const { p } = laid;
  let at = memory;
  for (const item of items) {
    if (item.kind !== 'struct') continue;
    const length = numberOf(item.fields.get('cmsg_len'));
    const type = numberOf(item.fields.get('cmsg_type'));
    const data = item.fields.get('cmsg_data');
    const fds = type === SCM_RIGHTS && data?.kind === 'list' ? data.items.map(numberOf) : [];
    if (way === '>') {
      yield* p.store64(at, length);
      yield* p.store32(at + 8, numberOf(item.fields.get('cmsg_level')));
      yield* p.store32(at + 12, type);
      for (const [i, fd] of fds.entries()) yield* p.store32(at + 16 + 4 * i, laid.descriptor(fd) >>> 0);
      if (data?.kind === 'struct') {
        // Credentials: the model's own.
        const { credentials } = p.context.thread.process;
        for (const [i, id] of [credentials.pid, credentials.uid, credentials.gid].entries()) yield* p.store32(at + 16 + 4 * i, id);
      }
    } else {
      laid.descriptorsAfterwards(at + 16, fds);
    }
    at += Math.ceil(length / 8) * 8;
  }
}
