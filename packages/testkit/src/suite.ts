// Laws as a list of named cases, for any test runner.

import type { DType } from '@bp/core'
import { type AnyRow, type Arity, describe, type Row } from '@bp/core/extend'
import { composites, library, primitives } from '@bp/ops/extend'
import { LawError } from './error.ts'
import { asComposite, type FunctionSample, functionSamples } from './functions.ts'
import { type LawName, lawsByName } from './laws.ts'
import type { AnySample, Sample } from './sample.ts'
import { compositeSamples, librarySamples, samples } from './samples.ts'
import { type Tolerances, tolerancesWith } from './tolerance.ts'

/** One law, one row, one sample, one dtype. */
export interface LawCase {
  readonly name: string
  /** The element types that its operands have. */
  readonly dtypes: readonly DType[]
  /** Rejects with a {@link LawError} where the law does not hold. */
  readonly run: () => Promise<void>
}

/** Options of {@link laws} and {@link allLaws}. */
export interface LawOptions {
  /** The floating-point types to test in; float64 and float32 unless given. */
  readonly dtypes?: readonly ('float64' | 'float32')[]
  /** The laws to test; all unless given. */
  readonly only?: readonly LawName[]
  /** What is allowed instead of {@link tolerances}. */
  readonly tolerances?: Tolerances
}

const names = Object.keys(lawsByName) as LawName[]

/**
 * The laws of one row as a list of cases. Choose a backend with `use` before running them.
 *
 * @example
 * ```ts
 * import { mul } from '@bp/core'
 * import { defineComposite } from '@bp/core/extend'
 * import { defineSamples, laws, operand } from '@bp/testkit'
 * const square = defineComposite({ name: 'acme/square', arity: 1, decompose: ([x]) => mul(x, x) })
 * const cases = laws(square, defineSamples(square, [{ operands: [operand([3])] }]), { dtypes: ['float64'], only: ['adjoint'] })
 * cases.map(({ name }) => name) // => [acme/square adjoint float64 sample 0]
 * ```
 */
export function laws<N extends Arity, P>(row: Row<string, N, P>, rows: readonly Sample<Row<string, N, P>>[], options: LawOptions = {}): LawCase[] {
  return casesOf(row, rows, options)
}

function casesOf(row: AnyRow, rows: readonly AnySample[], { dtypes = ['float64', 'float32'], only = names, tolerances }: LawOptions): LawCase[] {
  const allowed = tolerancesWith(tolerances)
  return rows.flatMap((sample, i) => dtypes.flatMap(dtype => only.map(law => ({
    name: `${row.name} ${law} ${dtype} sample ${i}`,
    dtypes: [...new Set([dtype, ...sample.operands.flatMap(x => x.dtype ?? [])])],
    run: async () => {
      try {
        await lawsByName[law](row, sample, dtype, allowed[dtype])
      } catch (error) {
        const operands = sample.operands.map(x => describe({ shape: x.shape, dtype: x.dtype ?? dtype })).join(', ')
        throw new LawError(`${row.name}: law '${law}' does not hold in ${dtype} for sample ${i} (${operands}): ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      }
    },
  }))))
}

/** The laws of every primitive, composite and library primitive of `@bp/ops`: what a backend's author runs. */
export function allLaws(options: LawOptions = {}): LawCase[] {
  return [
    ...tableOf(primitives, samples, options),
    ...tableOf(composites, compositeSamples, options),
    ...tableOf(library, librarySamples, options),
    ...Object.entries(functionSamples).flatMap(([name, list]) => functionLaws(name, list, options)),
  ]
}

/** The laws of a function of tensors that is no row: shapes, derivatives of both orders, tracing. */
export const functionLaws = (name: string, samples: readonly FunctionSample[], options: LawOptions = {}): LawCase[] =>
  samples.flatMap(sample => casesOf(asComposite(name, sample), [sample], { ...options, only: (options.only ?? names).filter(law => law !== 'decomposition') }))

const tableOf = (rows: Readonly<Record<string, AnyRow>>, samples: Readonly<Record<string, readonly AnySample[]>>, options: LawOptions): LawCase[] =>
  Object.entries(rows).flatMap(([name, row]) => casesOf(row, samples[name]!, options))

/**
 * Registers cases with a test runner: `suite(test, allLaws())`, with `test` from vitest, node:test or any other.
 */
export function suite(test: (name: string, run: () => Promise<void>) => unknown, cases: readonly { readonly name: string; readonly run: () => Promise<unknown> }[]): void {
  for (const { name, run } of cases) test(name, async () => { await run() })
}
