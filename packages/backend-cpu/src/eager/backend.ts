// The CPU backend with WebAssembly: compiled functions, large ops, and fused composites and pullbacks.

import type { Backend } from '@bp/core'
import { Fuser, type Program } from '@bp/core/extend'
import { backendOf, type CpuKernels } from '../backend.ts'
import { sharedEngine } from '../engine.ts'
import { lower, plan } from '../program/lower.ts'
import type { CpuStorage } from '../storage.ts'
import { fusionOf } from './fusion.ts'
import { withPrograms } from './kernels.ts'
import { Programs } from './programs.ts'
import type { Thresholds } from './thresholds.ts'

/** A backend of these kernels that runs programs where they are faster, and all in TypeScript where there is no WebAssembly. */
export function withWebAssembly(kernels: CpuKernels, worth: Thresholds): Backend<CpuStorage> {
  // runs what has no kernel in a program, between its parts: programs do not nest
  const inTypeScript = backendOf(kernels)
  return backendOf(withPrograms(kernels, worth, programs), {
    lower(graph) {
      const engine = sharedEngine()
      if (!engine) return null
      engine.backend = inTypeScript
      return lower(engine, graph) as Program<CpuStorage> | null
    },
    plan(graph) {
      const engine = sharedEngine()
      return engine && plan(engine, graph)
    },
    fuser: new Fuser((key, graph) => programs()?.find(key, () => fusionOf(graph())) ?? null, worth.fused),
  })
}

let shared: Programs | null | undefined

/** The programs that eager mode shares in this process; `null` where there is no WebAssembly. */
export function programs(): Programs | null {
  if (shared === undefined) {
    const engine = sharedEngine()
    shared = engine && new Programs(engine)
  }
  return shared
}
