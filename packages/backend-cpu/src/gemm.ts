// The matrix product on arrays with any strides: packed, cache-blocked, in tiles of 4 × 4; a single row or column goes unpacked.

/** A matrix inside an array: where it starts and how far apart its rows and columns are. */
export interface Matrix {
  readonly data: Float64Array
  readonly start: number
  readonly row: number
  readonly column: number
}

/** Blocks that fit the caches: a panel of `depth` × `width` doubles stays in the second level (Goto & van de Geijn 2008). */
const depth = 256
const width = 256
const tile = 4

let packedA = new Float64Array(0)
let packedB = new Float64Array(0)

/** C += A·B for A: m × k, B: k × n. Products are summed in double precision within each block of 256. */
export function gemm(m: number, n: number, k: number, a: Matrix, b: Matrix, c: Matrix): void {
  if (m === 1) {
    vectorMatrix(n, k, a.data, a.start, a.column, b.data, b.start, b.row, b.column, c.data, c.start, c.column)
    return
  }
  if (n === 1) {
    vectorMatrix(m, k, b.data, b.start, b.row, a.data, a.start, a.column, a.row, c.data, c.start, c.row)
    return
  }
  if (packedA.length === 0) {
    packedA = new Float64Array(tile * depth)
    packedB = new Float64Array(depth * (width + tile))
  }
  for (let p = 0; p < k; p += depth) {
    const kc = Math.min(depth, k - p)
    for (let j = 0; j < n; j += width) {
      const nc = Math.min(width, n - j)
      pack(b.data, b.start + p * b.row + j * b.column, b.column, b.row, nc, kc, packedB)
      for (let i = 0; i < m; i += tile) {
        const mc = Math.min(tile, m - i)
        pack(a.data, a.start + i * a.row + p * a.column, a.row, a.column, mc, kc, packedA)
        for (let q = 0; q < nc; q += tile) {
          multiply(kc, q * kc, c.data, c.start + i * c.row + (j + q) * c.column, c.row, c.column, mc, Math.min(tile, nc - q))
        }
      }
    }
  }
}

/** c += a·B for one row a of k elements and B: k × n; packing would cost as much as the product. */
function vectorMatrix(n: number, k: number, a: Float64Array, ao: number, as: number, b: Float64Array, bo: number, row: number, column: number, c: Float64Array, co: number, cs: number): void {
  if (row === 1) {
    for (let j = 0; j < n; j++) c[co + j * cs]! += inner(k, a, ao, as, b, bo + j * column)
    return
  }
  for (let j = 0; j < n; j += sums.length) {
    const nc = Math.min(sums.length, n - j)
    sums.fill(0, 0, nc)
    let p = 0
    for (; p + 3 < k; p += 4) addFourRows(nc, a[ao + p * as]!, a[ao + (p + 1) * as]!, a[ao + (p + 2) * as]!, a[ao + (p + 3) * as]!, b, bo + p * row + j * column, row, column)
    for (; p < k; p++) addRow(nc, a[ao + p * as]!, b, bo + p * row + j * column, column)
    for (let i = 0; i < nc; i++) c[co + (j + i) * cs]! += sums[i]!
  }
}

const sums = /* @__PURE__ */ new Float64Array(1024)

function addFourRows(n: number, a0: number, a1: number, a2: number, a3: number, b: Float64Array, at: number, row: number, column: number): void {
  for (let i = 0, q = at; i < n; i++, q += column) sums[i]! += a0 * b[q]! + a1 * b[q + row]! + (a2 * b[q + 2 * row]! + a3 * b[q + 3 * row]!)
}

function addRow(n: number, a: number, b: Float64Array, at: number, column: number): void {
  for (let i = 0, q = at; i < n; i++, q += column) sums[i]! += a * b[q]!
}

/** a·b along a dense b, in four sums that do not wait for one another. */
function inner(k: number, a: Float64Array, ao: number, as: number, b: Float64Array, bo: number): number {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0
  let p = 0
  for (; p + 3 < k; p += 4) {
    const q = ao + p * as
    s0 += a[q]! * b[bo + p]!
    s1 += a[q + as]! * b[bo + p + 1]!
    s2 += a[q + 2 * as]! * b[bo + p + 2]!
    s3 += a[q + 3 * as]! * b[bo + p + 3]!
  }
  for (; p < k; p++) s0 += a[ao + p * as]! * b[bo + p]!
  return s0 + s1 + (s2 + s3)
}

/** Copies `count` lines of `length` elements as groups of four lines, interleaved; missing lines are zeros. */
function pack(from: Float64Array, start: number, line: number, step: number, count: number, length: number, to: Float64Array): void {
  let o = 0
  for (let g = 0; g < count; g += tile) {
    const left = Math.min(tile, count - g)
    const s0 = start + g * line
    const s1 = left > 1 ? s0 + line : -1
    const s2 = left > 2 ? s0 + 2 * line : -1
    const s3 = left > 3 ? s0 + 3 * line : -1
    for (let i = 0; i < length; i++, o += tile) {
      const at = i * step
      to[o] = from[s0 + at]!
      to[o + 1] = s1 < 0 ? 0 : from[s1 + at]!
      to[o + 2] = s2 < 0 ? 0 : from[s2 + at]!
      to[o + 3] = s3 < 0 ? 0 : from[s3 + at]!
    }
  }
}

/** One tile: C[4×4] += A[4×k]·B[k×4] from the packed panels; only the given rows and columns are written. */
function multiply(k: number, bStart: number, c: Float64Array, start: number, row: number, column: number, rows: number, columns: number): void {
  const a = packedA
  const b = packedB
  let c00 = 0, c01 = 0, c02 = 0, c03 = 0
  let c10 = 0, c11 = 0, c12 = 0, c13 = 0
  let c20 = 0, c21 = 0, c22 = 0, c23 = 0
  let c30 = 0, c31 = 0, c32 = 0, c33 = 0
  for (let i = 0, q = bStart, end = k * tile; i < end; i += tile, q += tile) {
    const b0 = b[q]!, b1 = b[q + 1]!, b2 = b[q + 2]!, b3 = b[q + 3]!
    const a0 = a[i]!
    c00 += a0 * b0
    c01 += a0 * b1
    c02 += a0 * b2
    c03 += a0 * b3
    const a1 = a[i + 1]!
    c10 += a1 * b0
    c11 += a1 * b1
    c12 += a1 * b2
    c13 += a1 * b3
    const a2 = a[i + 2]!
    c20 += a2 * b0
    c21 += a2 * b1
    c22 += a2 * b2
    c23 += a2 * b3
    const a3 = a[i + 3]!
    c30 += a3 * b0
    c31 += a3 * b1
    c32 += a3 * b2
    c33 += a3 * b3
  }
  put(c, start, column, columns, c00, c01, c02, c03)
  if (rows > 1) put(c, start + row, column, columns, c10, c11, c12, c13)
  if (rows > 2) put(c, start + 2 * row, column, columns, c20, c21, c22, c23)
  if (rows > 3) put(c, start + 3 * row, column, columns, c30, c31, c32, c33)
}

function put(c: Float64Array, at: number, step: number, columns: number, v0: number, v1: number, v2: number, v3: number): void {
  c[at]! += v0
  if (columns > 1) c[at + step]! += v1
  if (columns > 2) c[at + 2 * step]! += v2
  if (columns > 3) c[at + 3 * step]! += v3
}
