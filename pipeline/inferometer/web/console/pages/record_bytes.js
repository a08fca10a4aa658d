// @ts-check
/** The original bytes of a dead letter, as text where they are text, else as a hexadecimal dump. */

const BYTES_PER_LINE = 16;

/** Bytes beyond it are counted, not drawn: a record may have a megabyte. */
export const SHOWN_BYTES = 16_384;

/**
 * @param {string} base64
 * @returns {Uint8Array}
 */
export function bytesOf(base64) {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * Return lines of offset, hexadecimal bytes and printable characters, as `hexdump -C` writes them.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function hexDump(bytes) {
  const lines = [];
  for (let start = 0; start < Math.min(bytes.length, SHOWN_BYTES); start += BYTES_PER_LINE) {
    const line = [...bytes.subarray(start, start + BYTES_PER_LINE)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0"));
    const left = hex.slice(0, 8).join(" ");
    const right = hex.slice(8).join(" ");
    const print = line.map((byte) => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".");
    lines.push(
      `${start.toString(16).padStart(8, "0")}  ${left.padEnd(23)}  ${right.padEnd(23)}  |${
        print.join("")
      }|`,
    );
  }
  return lines.join("\n");
}

/**
 * Indent a text where it is JSON; leave it as it is where it is not.
 * @param {string} text
 * @returns {string}
 */
export function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
