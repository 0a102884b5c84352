// @bp/onnx: ONNX files as differentiable modules, and modules as ONNX files.

export { Attributes } from './import/attributes.ts'
export { UnsupportedError, UnsupportedOperatorError } from './import/errors.ts'
export { importOnnx, type ImportOptions } from './import/import.ts'
export type { ImportLimits } from './import/limits.ts'
export { opsets, type ModelNode, type ModelValue } from './import/load.ts'
export type { ModelMetadata } from './import/metadata.ts'
export { OnnxModule, type CustomOperator, type Producer } from './import/module.ts'

export { exportOnnx, type ExportInput, type ExportOptions } from './export/export.ts'
export { decodeTensorProto, encodeTensorProto, type ExternalData } from './proto/tensor.ts'
