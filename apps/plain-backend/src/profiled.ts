// A decorator for any backend: counts and times what its kernels do.

import type { Backend } from '@bp/core'
import { type Kernel, type Program, sizeOf } from '@bp/core/extend'

/** What one kernel did. */
export interface Tally {
  readonly name: string
  readonly calls: number
  /** Elements of its results. */
  readonly elements: number
  /** Of the calls alone: where kernels run later, as on a graphics card, the time to start them. */
  readonly milliseconds: number
}

/** A backend that keeps tallies. */
export interface Profiled<S extends object> extends Backend<S> {
  /** What ran so far, the slowest first. */
  tallies(): Tally[]
  /** The same as lines for people. */
  table(): string
}

/** The same backend, which counts and times its kernels. Programs that `compile` makes of several kernels count as one. */
export function profiled<S extends object>(backend: Backend<S>): Profiled<S> {
  const kept = new Map<string, { calls: number; elements: number; milliseconds: number }>()
  function timed<R>(name: string, elements: number, run: () => R): R {
    const begun = performance.now()
    try {
      return run()
    } finally {
      const tally = kept.get(name) ?? { calls: 0, elements: 0, milliseconds: 0 }
      kept.set(name, { calls: tally.calls + 1, elements: tally.elements + elements, milliseconds: tally.milliseconds + performance.now() - begun })
    }
  }
  const wrapped = (name: string, kernel: Kernel<S>): Kernel<S> => (xs, p, out) =>
    timed(name, Array.isArray(out) ? out.reduce((sum, { shape }) => sum + sizeOf(shape), 0) : sizeOf(out.shape), () => kernel(xs, p, out))
  const followed = (program: Program<S> | null): Program<S> | null => program && new Proxy(program, {
    get: (target, key) => key === 'run' ? (...args: Parameters<Program<S>['run']>) => timed('(program)', 0, () => target.run(...args)) : bound(target, key),
  })
  const kernels = Object.fromEntries(Object.entries(backend.kernels).map(([name, kernel]) => [name, wrapped(name, kernel)]))
  const tallies = (): Tally[] => [...kept].map(([name, tally]) => ({ name, ...tally })).sort((a, b) => b.milliseconds - a.milliseconds)
  const own = {
    kernels, tallies,
    table: () => tallies().map(({ name, calls, elements, milliseconds }) => `${name.padEnd(12)} ${String(calls).padStart(7)} calls ${String(elements).padStart(12)} elements ${milliseconds.toFixed(1).padStart(9)} ms`).join('\n'),
    // eager programs would hide the kernels that they are made of
    fuser: undefined,
    ...backend.lower && { lower: (graph: Parameters<NonNullable<Backend<S>['lower']>>[0]) => followed(backend.lower!(graph)) },
  }
  return new Proxy(backend, { get: (target, key) => key in own ? own[key as keyof typeof own] : bound(target, key) }) as Profiled<S>
}

/** A property, with methods bound to whom they belong to. */
function bound(target: object, key: PropertyKey): unknown {
  const value: unknown = Reflect.get(target, key)
  return typeof value === 'function' ? value.bind(target) as unknown : value
}
