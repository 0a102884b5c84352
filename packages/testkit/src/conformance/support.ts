// Which op takes which element type on a backend, found by running samples beside the reference.

import { type Backend, BpError, type DType, tensor, type Tensor } from '@bp/core'
import { type AnyRow, dtypes as everyDType, isFloat, sizeOf } from '@bp/core/extend'
import { composites, library, primitives } from '@bp/ops/extend'
import { compare, LawError } from '../error.ts'
import { Random, seedOf } from '../random.ts'
import { reference } from '../reference.ts'
import type { AnySample } from '../sample.ts'
import { compositeSamples, librarySamples, samples } from '../samples.ts'
import { applyRow } from '../subject.ts'
import { elements, isUnsupported, type Setting } from './check.ts'

/** By a kernel of the backend's own, by the op's kernel on plain arrays, by the ops that it is made of, or not at all. */
export type Support = 'yes' | 'through host' | 'through ops' | 'no'

/** What a backend does of one op. */
export interface OpSupport {
  readonly op: string
  readonly kind: 'primitive' | 'composite' | 'library'
  /** By element type; one that the op itself does not take is left out. */
  readonly dtypes: Readonly<Partial<Record<DType, Support>>>
}

type Rows = Readonly<Record<string, AnyRow>>
type Samples = Readonly<Record<string, readonly AnySample[]>>
const tables: readonly (readonly [OpSupport['kind'], Rows, Samples])[] = [['primitive', primitives, samples], ['composite', composites, compositeSamples], ['library', library, librarySamples]]

/* A sum of truth values is none: nothing is promised of these in bool. */
const sums = new Set(['sumTo', 'cumSum', 'scatterAdd', 'dot', 'conv', 'convInput', 'convWeight', 'avgPool'])

/** Every op by name. */
export const supportedOps = (): string[] => tables.flatMap(([, rows]) => Object.keys(rows))

/** What kernel an op would run by. */
function way(row: AnyRow, backend: Backend): Support {
  if (Object.hasOwn(backend.kernels, row.name) || row.kernels?.[backend.name]) return 'yes'
  return row.host && (backend.readSync || !row.decompose) ? 'through host' : 'through ops'
}

/** The operands of a sample with the element type asked for in place of the floating-point one, or of all where there is none. */
function operandsIn(name: string, sample: AnySample, dtype: DType, backend: Backend): Tensor[] {
  const free = sample.operands.some(spec => spec.dtype === null)
  return sample.operands.map((spec, i) => {
    const drawn = spec.draw(new Random(seedOf(`${name} ${i}`)), sizeOf(spec.shape)).map(Math.fround)
    const own = spec.dtype !== null && free
    const whole = drawn.map(value => Math.trunc(3 * value) || 1).map(value => dtype === 'bool' ? Number(value > 1) : dtype === 'uint8' ? Math.abs(value) : value)
    return tensor(own || isFloat(dtype) || spec.dtype !== null ? drawn : whole, { shape: spec.shape, dtype: own ? spec.dtype : dtype, backend })
  })
}

function run(row: AnyRow, sample: AnySample, dtype: DType, target: DType, backend: Backend): Tensor[] {
  const given = sample.params as object | undefined
  const params = given && 'dtype' in given ? { ...given, dtype: sample.operands.length > 0 ? target : dtype } : given
  return applyRow(row, operandsIn(row.name, sample, dtype, backend), sample.operands.length === 0 ? { ...params, backend } : params)
}

/** Whether an op gives the reference's values in an element type; `null` where it is not made for that type. */
async function tried(row: AnyRow, sample: AnySample, dtype: DType, listed: readonly DType[], { backend, tolerances }: Setting): Promise<Support | null> {
  const target = listed.includes('float32') ? 'float32' : listed[0]!
  let want: Tensor[]
  try {
    want = run(row, sample, dtype, target, reference())
  } catch (error) {
    if (error instanceof BpError) return null
    throw error
  }
  if (!listed.includes(dtype)) return 'no'
  try {
    const got = run(row, sample, dtype, target, backend)
    for (const [i, y] of got.entries()) {
      const [a, b] = [await elements(y), await elements(want[i]!)]
      compare(`result ${i}`, y.shape, a.map(Number), b.map(Number), tolerances[y.dtype].fused)
    }
    return way(row, backend)
  } catch (error) {
    if (isUnsupported(error)) return 'no'
    throw new LawError(`${row.name}: ${dtype} is taken but wrong: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

/** What a backend does of one op, in each element type. */
export async function supportOf(op: string, listed: readonly DType[], at: Setting): Promise<OpSupport> {
  const [kind, rows, sampled] = tables.find(([, rows]) => Object.hasOwn(rows, op))!
  const list = sampled[op]!
  const sample = list.find(({ operands }) => operands.some(spec => spec.dtype === null)) ?? list[0]!
  const found: Partial<Record<DType, Support>> = {}
  for (const dtype of everyDType.filter(dtype => dtype !== 'bool' || !sums.has(op))) {
    const support = await tried(rows[op]!, sample, dtype, listed, at)
    if (support !== null) found[dtype] = support
  }
  return { op, kind, dtypes: found }
}
