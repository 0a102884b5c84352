// The table of library primitives: ops that compute on the host, on any backend, so that no backend needs a kernel for them.

/** Every library primitive under its own name, family by family. */
export const library = {}

/** The type of {@link library}. */
export type Library = typeof library

/** The name of a library primitive. */
export type LibraryName = keyof Library
