// @bp/kit: what the apps of this repository share: command lines, tables and charts. It is not published.

export { choice, flag, positive, readOptions, text, UsageError, whole, type OptionSpec, type OptionValues } from './options.ts'
export { plot, type Axis, type Line } from './plot.ts'
export { table } from './table.ts'
