// @bp/backend-cpu: tensors in typed arrays, computed in TypeScript where small, in WebAssembly where large or compiled.

import type { Backend } from '@bp/core'
import { sharedEngine } from './engine.ts'
import { withWebAssembly } from './eager/backend.ts'
import { thresholds } from './eager/thresholds.ts'
import { kernels } from './kernels.ts'
import type { CpuStorage } from './storage.ts'

export type { CpuStorage } from './storage.ts'

/**
 * The CPU backend: float64, float32, int32, uint8 and bool throughout, float16 stored as such and computed in float32, int64
 * for arithmetic and movement. Reads are synchronous; nothing needs to be disposed of.
 *
 * Functions that `compile` makes run as WebAssembly, on all threads where memory may be shared. Op by op, small tensors are
 * computed in TypeScript; on large ones products, convolutions, elementary functions, and composites and pullbacks as a whole,
 * run as WebAssembly too. Which it is follows from shapes alone, so the same call gives the same bits every time. The first
 * call on a large shape takes a few milliseconds more. Where WebAssembly is forbidden, everything runs in TypeScript.
 *
 * @example
 * ```ts
 * import { tensor, use } from '@bp/core'
 * import { cpu } from '@bp/backend-cpu'
 * use(cpu())
 * tensor([1, 2]).backend.name // => cpu
 * ```
 */
export const cpu = (): Backend<CpuStorage> => backend

/* One for all: it has no state of its own, so tensors from any two calls work together. */
const backend = /* @__PURE__ */ withWebAssembly(kernels, thresholds)

/**
 * How many threads run compiled functions at this moment: the caller, and its workers once they have started. 1 where memory
 * cannot be shared, or WebAssembly is forbidden.
 *
 * @example
 * ```ts
 * import { threads } from '@bp/backend-cpu'
 * threads() >= 1 // => true
 * ```
 */
export const threads = (): number => sharedEngine()?.pool.active ?? 1
