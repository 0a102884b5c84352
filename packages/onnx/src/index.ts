// @bp/onnx: ONNX files as differentiable modules, and modules as ONNX files.

export { Attributes } from './import/attributes.ts'
export { UnsupportedError, UnsupportedOperatorError } from './import/errors.ts'
export { importOnnx, type ImportOptions } from './import/import.ts'
export { opsets, type ModelNode, type ModelValue } from './import/load.ts'
export { OnnxModule, type CustomOperator } from './import/module.ts'

export { exportOnnx, type Exportable, type ExportMetadata, type ExportOptions } from './export/export.ts'
export type { ExportInput } from './export/inputs.ts'
export type { CustomOperatorExport, CustomOperators } from './export/custom.ts'
export { Float } from './export/builder.ts'
export { exportTrainingStep, type TrainingStepFile } from './export/trainingStep.ts'
export type { StateRole, TrainingState, TrainingStepOptions } from './export/pureStep.ts'
export { decodeTensorProto, encodeTensorProto, type ExternalData } from './proto/tensor.ts'
