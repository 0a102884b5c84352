// @bp/onnx/node: reads models from files, with the data beside them, in Node.

export { externalFiles, importOnnxFile } from './node/file.ts'
