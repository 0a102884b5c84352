// Checksums of zip archives, which the library that unzips them does not look at.

import { fail } from '@bp/core/extend'

/** Signatures of the end record, of the directory's entries, and their sizes without names (APPNOTE.TXT 6.3.10, §4.3). */
const endSignature = 0x06054b50
const entrySignature = 0x02014b50
const endSize = 22
const entrySize = 46

/** Refuses an archive in whose directory an entry has another checksum or size than what was unzipped, or is missing. */
export function verifyZip(op: string, file: Uint8Array, entries: Readonly<Record<string, Uint8Array>>): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  let end = file.length - endSize
  while (view.getUint32(end, true) !== endSignature) end--
  const count = view.getUint16(end + 10, true)
  let at = view.getUint32(end + 16, true)
  for (let i = 0; i < count; i++) {
    if (at + entrySize > file.length || view.getUint32(at, true) !== entrySignature) fail('data', op, `entry ${i} of the archive's directory is damaged, or the archive is larger than 4 GB. Write the file anew`)
    const nameLength = view.getUint16(at + 28, true)
    const name = new TextDecoder().decode(file.subarray(at + entrySize, at + entrySize + nameLength))
    const bytes = entries[name]
    if (bytes?.length !== view.getUint32(at + 24, true) || crc32(bytes) !== view.getUint32(at + 16, true)) fail('data', op, `${name} does not match its checksum. The file is truncated or damaged`)
    at += entrySize + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  }
}

/** CRC-32 with the reflected polynomial 0xEDB88320 (ISO 3309), bit by bit for each byte's entry of the table. */
const table = /* @__PURE__ */ Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xedb88320 : crc >>> 1
  return crc
})

function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (let i = 0; i < bytes.length; i++) crc = crc >>> 8 ^ table[(crc ^ bytes[i]!) & 255]!
  return ~crc >>> 0
}
