// npy files: one NumPy array behind a header that is a Python dictionary (NEP 1, numpy.lib.format).

import type { TypedArray } from '@bp/core'
import { allocate, fail, sizeOf, stridesOf } from '@bp/core/extend'
import { type ArraySource, asNdArray, type NdArray } from '../array.ts'
import { isKind, kindNames, kindOf, readElements, widthOf } from './elements.ts'

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
/** The data begins at a multiple of this. */
const alignment = 64

const refuse = (message: string): never => fail('data', 'npy', message)

/**
 * Reads an npy file of version 1, 2 or 3, in either byte order and in C or Fortran order. Elements that tensors do not have
 * become the narrowest that holds them: i1, i2 and u2 int32, u4 int64. Throws where the file is truncated or damaged, or
 * holds complex numbers, strings, records or objects.
 *
 * @example
 * ```ts
 * import { decodeNpy, encodeNpy, ndarray } from '@bp/data'
 * const file = encodeNpy(ndarray([1, 2, 3, 4], [2, 2]))
 * decodeNpy(file).shape // => [2, 2]
 * ```
 */
export function decodeNpy(file: Uint8Array): NdArray {
  const { header, start } = readHeader(file)
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1]
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1]
  const sizes = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(header)?.[1]
  if (descr === undefined && /'descr'\s*:\s*\[/.test(header)) return refuse('it holds records. Save each field as an array of its own')
  if (descr === undefined || fortran === undefined || sizes === undefined) return refuse(`the header has no descr, fortran_order and shape: ${header.slice(0, 80)}. The file is damaged`)
  const kind = descr.slice(1)
  if (!'<>|='.includes(descr[0] ?? '') || !isKind(kind)) return refuse(`its elements are ${descr}; ${kindNames()} can be read. Convert it with astype before saving`)
  const shape = sizes.split(',').map(size => size.replace('L', '').trim()).filter(size => size !== '').map(Number)
  const bytes = sizeOf(shape) * widthOf(kind)
  if (file.length - start !== bytes) return refuse(`${descr} of shape [${shape.join(',')}] takes ${bytes} bytes, and ${file.length - start} follow the header. The file is ${file.length - start < bytes ? 'truncated' : 'damaged'}`)
  const { data, dtype } = readElements('npy', file.subarray(start), kind, descr.startsWith('>'))
  return { data: fortran === 'True' && shape.length > 1 ? rowMajor(data, shape, allocate(dtype, data.length)) : data, shape, dtype }
}

function readHeader(file: Uint8Array): { readonly header: string; readonly start: number } {
  if (file.length < 10 || magic.some((byte, i) => file[i] !== byte)) refuse('it does not begin as an npy file does. It is another file, or damaged')
  const version = file[6]!
  if (version < 1 || version > 3) refuse(`it is of version ${version}; 1 to 3 can be read. Save it by an earlier NumPy`)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const at = version === 1 ? 10 : 12
  const length = version === 1 ? view.getUint16(8, true) : file.length < 12 ? Infinity : view.getUint32(8, true)
  if (at + length > file.length) refuse(`the header claims ${length} bytes, the file has ${Math.max(0, file.length - at)} more. It is truncated`)
  // version 3 is UTF-8, before that Latin-1
  return { header: new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(file.subarray(at, at + length)), start: at + length }
}

/** Column-major elements put into row-major order. */
function rowMajor(data: TypedArray, shape: readonly number[], out: TypedArray): TypedArray {
  // column-major is row-major of the axes reversed
  const strides = stridesOf([...shape].reverse()).reverse()
  const index = new Array<number>(shape.length).fill(0)
  let from = 0
  for (let to = 0; to < out.length; to++) {
    out[to] = data[from]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!
      if (++index[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return out
}

/** Writes an npy file in row-major order: of version 1, or 2 where the header is too long for that. */
export function encodeNpy(source: ArraySource): Uint8Array<ArrayBuffer> {
  const { data, shape, dtype } = asNdArray(source)
  const kind = kindOf(dtype)
  const descr = `${widthOf(kind) === 1 ? '|' : '<'}${kind}`
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`
  const version = dictionary.length + alignment + 10 < 2 ** 16 ? 1 : 2
  const at = version === 1 ? 10 : 12
  const start = Math.ceil((at + dictionary.length + 1) / alignment) * alignment
  const out = new Uint8Array(start + data.byteLength)
  out.set([...magic, version, 0])
  const view = new DataView(out.buffer)
  if (version === 1) view.setUint16(8, start - at, true)
  else view.setUint32(8, start - at, true)
  out.set(new TextEncoder().encode(`${dictionary.padEnd(start - at - 1)}\n`), at)
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start)
  return out
}
