// All suites by name.

import { onnx } from './onnx.ts'
import { opinfo } from './opinfo.ts'
import { optim } from './optim.ts'
import { parity } from './parity.ts'
import type { Suite } from './suite.ts'

/** By the names of the command line. */
export const suites = { onnx, parity, optim, opinfo } as const satisfies Readonly<Record<string, Suite>>

/** The name of a suite. */
export type SuiteName = keyof typeof suites
