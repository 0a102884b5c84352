// What the engine's WebAssembly can do, found by asking its validator.

import { engine } from './engine.ts'
import { f32x4, i32, type V128, v128 } from './instructions.ts'
import { ModuleBuilder } from './module.ts'

/** What was found; `null` where there is no WebAssembly with SIMD, or it is forbidden. */
export interface Features {
  /** Fused multiply-add in one instruction, which may round once or twice. */
  readonly relaxed: boolean
  /** Memory that threads share. */
  readonly shared: boolean
}

let found: Features | null | undefined

/** The engine's features; looked for once. */
export function features(): Features | null {
  if (found === undefined) found = look()
  return found
}

function look(): Features | null {
  if (!('WebAssembly' in globalThis)) return null
  try {
    if (!validates(false, a => f32x4.add(a, a))) return null
    // a strict content security policy validates modules, and refuses to compile them
    new (engine().Module)(probe(false, a => a))
    return {
      relaxed: validates(false, a => f32x4.relaxedMadd(a, a, a)),
      shared: typeof SharedArrayBuffer !== 'undefined' && validates(true, a => a),
    }
  } catch {
    return null
  }
}

const validates = (shared: boolean, f: (a: V128) => V128): boolean => engine().validate(probe(shared, f))

function probe(shared: boolean, f: (a: V128) => V128): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder({ pages: 1, maxPages: 1, shared })
  const func = module.func(['i32'])
  func.do(v128.store(func.params[0], f(v128.load(func.params[0]))))
  if (shared) func.do(i32.atomicStore(0, i32.atomicAdd(0, 1)))
  return module.encode()
}
