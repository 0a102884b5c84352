// Byte ranges of the memory, by which tasks are told apart that must wait for each other.

/** The bytes from `start` up to `end`, which is not included. */
export interface Region {
  readonly start: number
  readonly end: number
}

/** Whether two ranges share a byte. */
export const overlap = (a: Region, b: Region): boolean => a.start < b.end && b.start < a.end
