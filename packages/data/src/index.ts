// @bp/data: datasets, samplers, loaders and transforms that feed a training loop.

export {}
