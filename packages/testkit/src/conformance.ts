// Conformance: everything that a backend is held to, as cases for a test runner or as one report.

import type { Backend, DType } from '@bp/core'
import { dtypes as everyDType } from '@bp/core/extend'
import { type Check, isUnsupported, type Lack, type Setting, withBackend } from './conformance/check.ts'
import { checks } from './conformance/checks.ts'
import { type PerfRow, perfJobs } from './conformance/perf.ts'
import { type OpSupport, supportOf, supportedOps } from './conformance/support.ts'
import type { LawName } from './laws.ts'
import { allLaws } from './suite.ts'
import { type Tolerances, tolerancesWith } from './tolerance.ts'

/** What is asked: are values right, are derivatives, how fast is it, what does it have. */
export type ConformanceMode = 'test' | 'grad' | 'perf' | 'support'

/** Options of {@link conformance}. */
export interface ConformanceOptions<M extends ConformanceMode = ConformanceMode> {
  /** `test` unless given. */
  readonly mode?: M
  /** The element types that the backend has; all unless given. What needs another one counts as unsupported. */
  readonly dtypes?: readonly DType[]
  /** What is allowed instead of `tolerances`. */
  readonly tolerances?: Tolerances
  /** What the hardware has not: results that differ only so are let pass. */
  readonly lacks?: readonly Lack[]
  /** Only cases whose name contains this. */
  readonly filter?: string
}

/** How a case ended that did not fail. */
export type Outcome = 'passed' | 'unsupported'

/** One case: it rejects where the backend is wrong. */
export interface ConformanceCase {
  readonly name: string
  readonly run: () => Promise<Outcome>
}

/** What all modes report. */
export interface ConformanceReport {
  readonly backend: string
  readonly mode: ConformanceMode
  readonly passed: number
  readonly failed: readonly { readonly name: string; readonly message: string }[]
  /** Cases that need an element type, a kernel or a way of reading that the backend has not. */
  readonly unsupported: readonly string[]
}

/** What each mode reports. */
export interface ConformanceReports {
  readonly test: ConformanceReport
  readonly grad: ConformanceReport
  readonly perf: ConformanceReport & { readonly rows: readonly PerfRow[] }
  readonly support: ConformanceReport & { readonly ops: readonly OpSupport[] }
}

/** The cases of a backend, to be given to `suite`, or to be run here. */
export interface Conformance<M extends ConformanceMode> {
  readonly cases: readonly ConformanceCase[]
  /** Runs all cases in order; `progress` is told of each one that has ended. */
  run(progress?: (done: number, total: number, name: string) => void): Promise<ConformanceReports[M]>
}

const testLaws: readonly LawName[] = ['shapes', 'values', 'decomposition', 'tracing', 'compiling', 'batching']
const gradLaws: readonly LawName[] = ['adjoint', 'difference', 'second-order adjoint', 'second-order difference', 'saves']

/**
 * What a backend must be: mode `test` holds every op of `@bp/ops` to the laws about values and the backend to what no law
 * covers, from NaN to large tensors; `grad` to the laws about derivatives; `perf` times a few jobs; `support` finds which op
 * takes which element type. An op that refuses with an error of code `dtype` or `backend` counts as unsupported, not as
 * failed. It runs wherever the backend does, a browser's page included, and needs no test runner.
 *
 * @example
 * ```ts
 * import { conformance, reference } from '@bp/testkit'
 * const { passed, failed, unsupported } = await conformance(reference(), { filter: 'tanh' }).run()
 * passed > 20 // => true
 * failed.length + unsupported.length // => 0
 * ```
 */
export function conformance<M extends ConformanceMode = 'test'>(backend: Backend, options: ConformanceOptions<M> = {}): Conformance<M> {
  const { mode = 'test' as M, dtypes = everyDType, lacks = [], filter = '' } = options
  const setting: Setting = { backend, tolerances: tolerancesWith(options.tolerances), lacks: new Set(lacks) }
  const rows: PerfRow[] = []
  const ops: OpSupport[] = []
  const all: Readonly<Record<ConformanceMode, () => readonly Check[]>> = {
    test: () => [...checks(), ...lawChecks(testLaws, options)],
    grad: () => lawChecks(gradLaws, options),
    perf: () => perfJobs.map(({ name, dtypes, time }) => ({ name, dtypes, run: async () => { rows.push(await time()) } })),
    support: () => supportedOps().map(op => ({ name: op, dtypes: [], run: async at => { ops.push(await supportOf(op, dtypes, at)) } })),
  }
  const cases = all[mode]().filter(({ name }) => name.includes(filter)).map((check): ConformanceCase => ({
    name: check.name,
    run: () => outcome(check, dtypes, setting),
  }))
  return {
    cases,
    async run(progress) {
      rows.length = ops.length = 0
      const report = await runAll(backend.name, mode, cases, progress)
      return { ...report, ...mode === 'perf' && { rows }, ...mode === 'support' && { ops } } as unknown as ConformanceReports[M]
    },
  }
}

function lawChecks(only: readonly LawName[], { dtypes = everyDType, tolerances }: ConformanceOptions): Check[] {
  const floats = (['float64', 'float32'] as const).filter(dtype => dtypes.includes(dtype))
  return allLaws({ dtypes: floats, only, ...tolerances && { tolerances } })
}

async function outcome(check: Check, dtypes: readonly DType[], setting: Setting): Promise<Outcome> {
  if (!check.dtypes.every(dtype => dtypes.includes(dtype))) return 'unsupported'
  try {
    await withBackend(setting.backend, () => check.run(setting))
    return 'passed'
  } catch (error) {
    if (isUnsupported(error)) return 'unsupported'
    throw error
  }
}

async function runAll(backend: string, mode: ConformanceMode, cases: readonly ConformanceCase[], progress?: (done: number, total: number, name: string) => void): Promise<ConformanceReport> {
  let passed = 0
  const failed: { name: string; message: string }[] = []
  const unsupported: string[] = []
  for (const [i, { name, run }] of cases.entries()) {
    try {
      if (await run() === 'passed') passed++
      else unsupported.push(name)
    } catch (error) {
      failed.push({ name, message: error instanceof Error ? error.message : String(error) })
    }
    progress?.(i + 1, cases.length, name)
  }
  return { backend, mode, passed, failed, unsupported }
}
