// The kernels of conv that all programs share.

import type { LibraryEntry } from '../../program/library.ts'

export const convLibrary = {} satisfies Record<string, LibraryEntry>
