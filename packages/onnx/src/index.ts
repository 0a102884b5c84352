// @bp/onnx: ONNX files as differentiable modules, and modules as ONNX files.

export { Attributes } from './import/attributes.ts'
export { UnsupportedError, UnsupportedOperatorError } from './import/errors.ts'
export { importOnnx, type ImportOptions } from './import/import.ts'
export type { OnnxValue } from './import/feeds.ts'
export { opsets, type ModelNode, type ModelValue, type ValueKind } from './import/load.ts'
export { OnnxModule, type CustomOperator } from './import/module.ts'

export { exportOnnx, type ExportInput, type ExportOptions } from './export/export.ts'
export { decodeTensorProto, encodeTensorProto, type ExternalData } from './proto/tensor.ts'
export { decodeValueProto, type TypedValue } from './proto/values.ts'
export type { ElementType, NarrowType } from './proto/elementType.ts'
export { StringTensor } from './import/value.ts'
