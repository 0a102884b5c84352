// @bp/testkit: laws, samples and a reference backend, for authors of ops and backends.

export { LawError } from './error.ts'
export { type FunctionSample, functionSamples } from './functions.ts'
export type { Law, LawName } from './laws.ts'
export { lawsByName } from './laws.ts'
export { Random } from './random.ts'
export { reference } from './reference.ts'
export { away, defineSamples, distinct, fixed, given, operand, realise, uniform, whole, type AnySample, type Draw, type OperandSpec, type Sample, type SamplesOf } from './sample.ts'
export { compositeSamples, librarySamples, samples } from './samples.ts'
export { allLaws, functionLaws, laws, suite, type LawCase, type LawOptions } from './suite.ts'
export { tolerances, type Tolerance } from './tolerance.ts'
