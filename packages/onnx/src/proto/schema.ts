// The fields of every ONNX message by number, as far as a decoder reads them: what the scan of a file checks against.

/**
 * How a field lies on the wire: one varint, a list of them (packed or not), floats, doubles, bytes or text, or a message
 * by its name.
 */
export type FieldKind = 'varint' | 'varints' | 'float' | 'floats' | 'doubles' | 'bytes' | MessageName

/** The messages that an ONNX file is made of, and those of files of test data. */
export type MessageName =
  | 'Model' | 'OperatorSetId' | 'StringStringEntry' | 'TrainingInfo' | 'Function' | 'Graph' | 'Node' | 'Attribute' | 'Tensor' | 'Segment'
  | 'SparseTensor' | 'ValueInfo' | 'TensorAnnotation' | 'Type' | 'TensorType' | 'SequenceType' | 'MapType' | 'OptionalType' | 'Shape' | 'Dimension'
  | 'Sequence' | 'Optional' | 'Map'

/**
 * Field numbers of onnx.proto, https://github.com/onnx/onnx/blob/v1.10.2/onnx/onnx.proto, and of onnx-data.proto beside it. Fields that are not listed are
 * skipped by the decoder, whatever they hold.
 */
export const schema: Readonly<Record<MessageName, Readonly<Record<number, FieldKind>>>> = {
  Model: { 1: 'varint', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'varint', 6: 'bytes', 7: 'Graph', 8: 'OperatorSetId', 14: 'StringStringEntry', 20: 'TrainingInfo', 25: 'Function' },
  OperatorSetId: { 1: 'bytes', 2: 'varint' },
  StringStringEntry: { 1: 'bytes', 2: 'bytes' },
  TrainingInfo: { 1: 'Graph', 2: 'Graph', 3: 'StringStringEntry', 4: 'StringStringEntry' },
  Function: { 1: 'bytes', 2: 'varint', 3: 'varint', 4: 'bytes', 5: 'bytes', 6: 'bytes', 7: 'Node', 8: 'bytes', 9: 'OperatorSetId', 10: 'bytes' },
  Graph: { 1: 'Node', 2: 'bytes', 5: 'Tensor', 10: 'bytes', 11: 'ValueInfo', 12: 'ValueInfo', 13: 'ValueInfo', 14: 'TensorAnnotation', 15: 'SparseTensor' },
  Node: { 1: 'bytes', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'Attribute', 6: 'bytes', 7: 'bytes' },
  Attribute: {
    1: 'bytes', 2: 'float', 3: 'varint', 4: 'bytes', 5: 'Tensor', 6: 'Graph', 7: 'floats', 8: 'varints', 9: 'bytes', 10: 'Tensor', 11: 'Graph',
    13: 'bytes', 14: 'Type', 15: 'Type', 20: 'varint', 21: 'bytes', 22: 'SparseTensor', 23: 'SparseTensor',
  },
  Tensor: { 1: 'varints', 2: 'varint', 3: 'Segment', 4: 'floats', 5: 'varints', 6: 'bytes', 7: 'varints', 8: 'bytes', 9: 'bytes', 10: 'doubles', 11: 'varints', 12: 'bytes', 13: 'StringStringEntry', 14: 'varint' },
  Segment: { 1: 'varint', 2: 'varint' },
  SparseTensor: { 1: 'Tensor', 2: 'Tensor', 3: 'varints' },
  ValueInfo: { 1: 'bytes', 2: 'Type', 3: 'bytes' },
  TensorAnnotation: { 1: 'bytes', 2: 'StringStringEntry' },
  Type: { 1: 'TensorType', 4: 'SequenceType', 5: 'MapType', 6: 'bytes', 8: 'TensorType', 9: 'OptionalType' },
  TensorType: { 1: 'varint', 2: 'Shape' },
  SequenceType: { 1: 'Type' },
  MapType: { 1: 'varint', 2: 'Type' },
  OptionalType: { 1: 'Type' },
  Shape: { 1: 'Dimension' },
  Dimension: { 1: 'varint', 2: 'bytes', 3: 'bytes' },
  Sequence: { 1: 'bytes', 2: 'varint', 3: 'Tensor', 4: 'SparseTensor', 5: 'Sequence', 6: 'Map', 7: 'Optional' },
  Optional: { 1: 'bytes', 2: 'varint', 3: 'Tensor', 4: 'SparseTensor', 5: 'Sequence', 6: 'Map', 7: 'Optional' },
  Map: { 1: 'bytes', 2: 'varint', 3: 'varints', 4: 'bytes', 5: 'Sequence' },
}
