// The kernels of gemm that all programs share.

import type { LibraryEntry } from '../../program/library.ts'

export const gemmLibrary = {} satisfies Record<string, LibraryEntry>
