/** The bytes of a text, as programs and files have it. What is no character, half of a surrogate pair, becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    const point = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x1_0000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  }
  return Uint8Array.from(bytes);
}

/** The text that bytes are. A byte that does not belong to a character becomes U+FFFD. */
export function utf8Text(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    let point = length === 1 ? first : first & (0xff >> (length + 1));
    for (let i = 1; i < length; i++) {
      const byte = bytes[at + i] ?? 0;
      point = (byte & 0xc0) === 0x80 && point >= 0 ? (point << 6) | (byte & 63) : -1;
    }
    const least = [0, 0, 0x80, 0x800, 0x1_0000][length] as number;
    const isCharacter = length > 0 && point >= least && point <= 0x10_ffff && !(point >= 0xd800 && point <= 0xdfff);
    text += isCharacter ? String.fromCodePoint(point) : '\ufffd';
    at += isCharacter ? length : 1;
  }
  return text;
}
