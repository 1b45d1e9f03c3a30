import fc from 'fast-check';
import { expect, it } from 'vitest';
import { utf8, utf8Text } from '../src/index.js';

const host = (text: string): number[] => [...new TextEncoder().encode(text)];

it('is what the host says of any text, halves of surrogate pairs included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect([...utf8(text)]).toEqual(host(text));
    }),
  );
  for (const text of ['', 'a', '\u00e9', '\u20ac', '\u{1f600}', '\ud800', 'a\udc00b']) expect([...utf8(text)]).toEqual(host(text));
});

it('is read back as the same text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(utf8Text(utf8(text))).toBe(text);
    }),
  );
});

it.each([
  ['a byte that begins nothing', [0x61, 0x80, 0x62], 'a\ufffdb'],
  ['a character that is cut', [0xe2, 0x82], '\ufffd\ufffd'],
  ['a longer form than needed', [0xc0, 0xaf], '\ufffd\ufffd'],
  ['half of a surrogate pair', [0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
  ['what is beyond the last character', [0xf4, 0x90, 0x80, 0x80], '\ufffd\ufffd\ufffd\ufffd'],
])('has a mark in place of %s', (_what, bytes, text) => {
  expect(utf8Text(Uint8Array.from(bytes))).toBe(text);
  expect(new TextDecoder().decode(Uint8Array.from(bytes))).toMatch(/\ufffd/);
});
