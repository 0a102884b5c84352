// npy, npz, IDX and images: files of other programs are read, damaged ones are refused.

import { gzipSync } from 'fflate'
import { encode as encodeWithFastPng } from 'fast-png'
import { encode as encodeJpeg } from 'jpeg-js'
import { tensor, use } from '@bp/core'
import { convert, dtypes } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { beforeEach, describe, expect, it } from 'vitest'
import { ndarray } from '../array.ts'
import { decodeIdx } from './idx.ts'
import { decodeImage, encodePng } from './image.ts'
import { decodeNpy, encodeNpy } from './npy.ts'
import { decodeNpz, encodeNpz } from './npz.ts'

beforeEach(() => { use(cpu()) })

const bytes = (base64: string): Uint8Array => Uint8Array.from(atob(base64), char => char.charCodeAt(0))

/** Every file that differs from one in a byte, or ends early, is refused by a BpError or read without one. */
function expectOnlyRefusals(file: Uint8Array, read: (file: Uint8Array) => unknown): { readonly read: number; readonly refused: number } {
  const counts = { read: 0, refused: 0 }
  const attempt = (damaged: Uint8Array): void => {
    try {
      read(damaged)
      counts.read++
    } catch (error) {
      expect((error as Error).name, String(error)).toBe('BpError')
      counts.refused++
    }
  }
  for (let i = 0; i < file.length; i++) attempt(file.with(i, file[i]! ^ 0x5a))
  const { read: kept } = counts
  for (let i = 0; i < file.length; i++) attempt(file.subarray(0, i))
  // nothing that is truncated is read
  expect(counts.read).toBe(kept)
  return counts
}

describe('npy', () => {
  it('of NumPy 2 is read: big-endian, Fortran order, version 3', () => {
    // np.asfortranarray(np.arange(6, dtype='<i2').reshape(2, 3) - 2)
    const fortran = decodeNpy(bytes('k05VTVBZAQB2AHsnZGVzY3InOiAnPGkyJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr+/wEA//8CAAAAAwA='))
    expect(fortran).toEqual(ndarray(Int32Array.of(-2, -1, 0, 1, 2, 3), [2, 3]))
    // np.lib.format.write_array(f, np.array([[1.5, -2.25]], dtype='f2'), version=(3, 0))
    const half = decodeNpy(bytes('k05VTVBZAwB0AAAAeydkZXNjcic6ICc8ZjInLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMSwgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPoDA'))
    expect(tensor(half.data, half).toArray()).toEqual([[1.5, -2.25]])
    // np.asfortranarray((np.arange(24).reshape(2, 3, 4) / 4).astype('>f4'))
    const big = decodeNpy(bytes('k05VTVBZAQB2AHsnZGVzY3InOiAnPmY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAQEAAAD+AAABAgAAAQAAAAECgAAA+gAAAQFAAAD+gAABAiAAAQBAAAECoAAA/AAAAQGAAAD/AAABAkAAAQCAAAECwAAA/QAAAQHAAAD/gAABAmAAAQDAAAEC4AAA='))
    expect(big).toEqual(ndarray(Array.from({ length: 24 }, (_, i) => i / 4), [2, 3, 4]))
  })

  it('is written and read again in every dtype', () => {
    for (const dtype of dtypes) {
      for (const shape of [[], [4], [2, 0], [2, 1, 3]]) {
        const size = shape.reduce((a, b) => a * b, 1)
        const x = ndarray(convert(Array.from({ length: size }, (_, i) => i + 1), dtype), shape, dtype)
        const file = encodeNpy(x)
        expect(decodeNpy(file)).toEqual(x)
        // data aligned as NumPy does
        expect((file.length - x.data.byteLength) % 64).toBe(0)
      }
    }
    expect(new TextDecoder().decode(encodeNpy(tensor([[1, 2]])).subarray(10, 69))).toBe("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }")
  })

  it('is refused, with the reason', () => {
    const file = encodeNpy(ndarray([1, 2, 3]))
    expect(() => decodeNpy(file.subarray(0, 130))).toThrowErrorMatchingInlineSnapshot(`[BpError: npy: <f4 of shape [3] takes 12 bytes, and 2 follow the header. The file is truncated]`)
    expect(() => decodeNpy(file.subarray(0, 30))).toThrowErrorMatchingInlineSnapshot(`[BpError: npy: the header claims 118 bytes, the file has 20 more. It is truncated]`)
    expect(() => decodeNpy(new Uint8Array(20))).toThrowErrorMatchingInlineSnapshot(`[BpError: npy: it does not begin as an npy file does. It is another file, or damaged]`)
    // np.array([1, 2], dtype='c8')
    expect(() => decodeNpy(bytes('k05VTVBZAQB2AHsnZGVzY3InOiAnPGM4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAIA/AAAAAAAAAEAAAAAA'))).toThrowErrorMatchingInlineSnapshot(`[BpError: npy: its elements are <c8; f8, f4, f2, i8, i4, i2, i1, u8, u4, u2, u1, b1 can be read. Convert it with astype before saving]`)
    // np.array([2**63], dtype='u8')
    expect(() => decodeNpy(bytes('k05VTVBZAQB2AHsnZGVzY3InOiAnPHU4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAgA=='))).toThrowErrorMatchingInlineSnapshot(`[BpError: npy: it holds 9223372036854775808, which int64 does not. Convert it to float64 before saving]`)
    // np.zeros(1, dtype=[('a', 'f4')])
    expect(() => decodeNpy(bytes('k05VTVBZAQB2AHsnZGVzY3InOiBbKCdhJywgJzxmNCcpXSwgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAA'))).toThrowErrorMatchingInlineSnapshot(`[BpError: npy: it holds records. Save each field as an array of its own]`)
    expectOnlyRefusals(file, decodeNpy)
  })
})

describe('npz', () => {
  // np.savez_compressed(f, x=np.array([True, False]), y=np.float64(2.5))
  const file = bytes('UEsDBC0AAAAIAAAAIQDuGbtd//////////8FABQAeC5ucHkBABAAggAAAAAAAABGAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF6TZKiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6mjoKtQoUAC5GBgBQSwMELQAAAAgAAAAhADW0OpP//////////wUAFAB5Lm5weQEAEACIAAAAAAAAAEcAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkamjoKtQoUAS4GMGBxAABQSwECLQMtAAAACAAAACEA7hm7XUYAAACCAAAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwECLQMtAAAACAAAACEANbQ6k0cAAACIAAAABQAAAAAAAAAAAAAAgAF9AAAAeS5ucHlQSwUGAAAAAAIAAgBmAAAA+wAAAAAA')

  it('of NumPy 2 is read, and what is written is read again', () => {
    expect(Object.fromEntries(decodeNpz(file))).toEqual({ x: ndarray(Uint8Array.of(1, 0), [2], 'bool'), y: ndarray(Float64Array.of(2.5), []) })
    const arrays = { a: ndarray(Array.from({ length: 500 }, (_, i) => i % 7), [50, 10]), b: ndarray(BigInt64Array.of(-1n)) }
    for (const compress of [false, true]) {
      const written = encodeNpz(arrays, { compress })
      expect(Object.fromEntries(decodeNpz(written))).toEqual(arrays)
      expect(encodeNpz(arrays, { compress })).toEqual(written)
      expect(written.length < 1000).toBe(compress)
    }
  })

  it('is refused where an array does not match its checksum', () => {
    const stored = encodeNpz({ x: ndarray([1, 2, 3]) })
    expect(() => decodeNpz(stored.with(170, 1))).toThrowErrorMatchingInlineSnapshot(`[BpError: npz: x.npy does not match its checksum. The file is truncated or damaged]`)
    expect(() => decodeNpz(stored.subarray(0, 100))).toThrowErrorMatchingInlineSnapshot(`[BpError: npz: it could not be unzipped: invalid zip data. It is another file, truncated or damaged]`)
    expectOnlyRefusals(file, decodeNpz)
  })
})

describe('IDX', () => {
  const file = Uint8Array.of(0, 0, 0x0b, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xfe, 1, 0)

  it('is read in its byte order, gzipped or not', () => {
    expect(decodeIdx(file)).toEqual(ndarray(Int32Array.of(-2, 256), [2, 1]))
    expect(decodeIdx(gzipSync(file))).toEqual(decodeIdx(file))
    expect(decodeIdx(Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0))).toEqual(ndarray([1.5]))
  })

  it('is refused where it is damaged', () => {
    expect(() => decodeIdx(file.subarray(0, 14))).toThrowErrorMatchingInlineSnapshot(`[BpError: idx: i2 of shape [2,1] takes 4 bytes, and 2 follow the header. The file is truncated]`)
    expect(() => decodeIdx(Uint8Array.of(1, 2, 3, 4))).toThrowErrorMatchingInlineSnapshot(`[BpError: idx: it does not begin as an IDX file does. It is another file, or damaged]`)
    expect(() => decodeIdx(gzipSync(file).subarray(0, 20))).toThrow('idx: it could not be unzipped')
    expectOnlyRefusals(file, decodeIdx)
  })
})

describe('images', () => {
  const pixels = Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => i * 7)
  const image = ndarray(pixels, [4, 3, 3])

  it('of PNG are read in every form', () => {
    expect(decodeImage(encodePng(image))).toEqual(image)
    const with16 = encodeWithFastPng({ width: 2, height: 1, channels: 1, depth: 16, data: Uint16Array.of(0x1234, 0xffff) })
    expect(decodeImage(with16)).toEqual(ndarray(Uint8Array.of(0x12, 0xff), [1, 2, 1]))
    // black, white, black in one bit each
    const bits = encodeWithFastPng({ width: 3, height: 2, channels: 1, depth: 1, data: Uint8Array.of(0b01000000, 0b10100000) })
    expect(decodeImage(bits)).toEqual(ndarray(Uint8Array.of(0, 255, 0, 255, 0, 255), [2, 3, 1]))
    const palette = encodeWithFastPng({ width: 2, height: 1, channels: 1, depth: 8, data: Uint8Array.of(1, 0), palette: [[1, 2, 3], [4, 5, 6]] })
    expect(decodeImage(palette)).toEqual(ndarray(Uint8Array.of(4, 5, 6, 1, 2, 3), [1, 2, 3]))
  })

  it('change their channels as Pillow does', () => {
    const rgba = encodePng(ndarray(Uint8Array.of(255, 0, 0, 7, 10, 200, 30, 255), [1, 2, 4]))
    // round(0.299 r + 0.587 g + 0.114 b)
    expect(decodeImage(rgba, { channels: 1 })).toEqual(ndarray(Uint8Array.of(76, 124), [1, 2, 1]))
    expect(decodeImage(rgba, { channels: 3 })).toEqual(ndarray(Uint8Array.of(255, 0, 0, 10, 200, 30), [1, 2, 3]))
    expect(decodeImage(encodePng(ndarray(Uint8Array.of(9, 8, 70, 60), [1, 2, 2])), { channels: 4 })).toEqual(ndarray(Uint8Array.of(9, 9, 9, 8, 70, 70, 70, 60), [1, 2, 4]))
  })

  it('of JPEG are read, to its losses', () => {
    const flat = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => [200, 100, 50, 255][i % 4]!)
    const file = new Uint8Array(encodeJpeg({ width: 16, height: 16, data: flat }, 95).data)
    const { data, shape } = decodeImage(file)
    expect(shape).toEqual([16, 16, 3])
    expect(Math.max(...Array.from(data as Uint8Array, (value, i) => Math.abs(value - [200, 100, 50][i % 3]!)))).toBeLessThan(4)
    expect(() => decodeImage(file.subarray(0, 300))).toThrow(/image: the JPEG could not be read: .* The file is truncated or damaged/)
  })

  it('that are damaged or something else are refused', () => {
    const file = encodePng(image)
    expect(() => decodeImage(file.with(50, 0))).toThrowErrorMatchingInlineSnapshot(`[BpError: image: the PNG could not be read: Error while decompressing the data. The file is truncated or damaged]`)
    expect(() => decodeImage(Uint8Array.of(71, 73, 70))).toThrowErrorMatchingInlineSnapshot(`[BpError: image: it begins neither as PNG nor as JPEG. Convert it to one of them]`)
    expect(() => encodePng(ndarray([1]))).toThrowErrorMatchingInlineSnapshot(`[BpError: encodePng: needs u8[h,w,c] with 1 to 4 channels, got f32[1]]`)
    // whatever is not refused is the same picture: what is damaged is no part of it
    expectOnlyRefusals(file, damaged => {
      const read = decodeImage(damaged)
      if (String(read.data) !== String(pixels)) expect(read.data).toEqual(pixels)
    })
  })
})
