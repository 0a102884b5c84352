// @bp/data: datasets, samplers, loaders and transforms that feed a training loop.

export { classIndex, ndarray, type ArraySource, type NdArray } from './array.ts'
export { collate, type Collated, type Stacked } from './collate.ts'
export type { Dataset, IterableDataset, MaybePromise } from './dataset.ts'
export { CachedDataset, ConcatDataset, Subset, ZipDataset, type SamplesOf } from './datasets/combine.ts'
export { MapDataset, type MapOptions } from './datasets/map.ts'
export { ListDataset, TensorDataset, type Rows } from './datasets/tensor.ts'
export { DataLoader, type DataLoaderOptions, type DataLoaderState } from './loader.ts'
export { RandomStream } from './random.ts'
export { BatchSampler, DistributedSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler, type DistributedSamplerOptions, type RandomSamplerOptions, type SamplerState, type Sized, type WeightedRandomSamplerOptions } from './samplers.ts'
export { randomSplit, trainTestSplit, type TrainTestSplitOptions } from './split.ts'
