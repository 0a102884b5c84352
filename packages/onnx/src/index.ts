// @bp/onnx: ONNX files as differentiable modules, and modules as ONNX files.

export { Attributes } from './import/attributes.ts'
export { UnsupportedError, UnsupportedOperatorError } from './import/errors.ts'
export { importOnnx, type ImportOptions } from './import/import.ts'
export { addOnnxLoRA, mergeOnnxLoRA, type OnnxLoRATargets } from './import/lora.ts'
export { opsets, type ModelNode, type ModelValue } from './import/load.ts'
export { OnnxModule, type CustomOperator } from './import/module.ts'
export { inferShapes, type InferOptions } from './import/inferShapes.ts'
export type { InferredShapes, NodeShapes, ValueShape } from './import/shapes.ts'

export { exportOnnx, type ExportInput, type ExportOptions } from './export/export.ts'
export { decodeTensorProto, encodeTensorProto, type ExternalData } from './proto/tensor.ts'
