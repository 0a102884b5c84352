"""What the contenders in Python share: threads, data, the clock, and requests answered. Arguments: threads, folder of data."""
import json, math, os, sys, time

threads, folder = int(sys.argv[1]), sys.argv[2]
# read by OpenMP and BLAS when they are first loaded
for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[name] = str(threads)
import numpy as np

GPT = dict(layers=4, dim=128, heads=4, context=64, vocabulary=65, batch=16)
# pairs of ops in the chain of the overhead job
CHAIN = 500
# seconds of running untimed, and milliseconds that one measurement takes at least
WARM_UP, SHORTEST = 1.5, 100


def load(job):
    """The job's arrays by name; whole numbers are int32."""
    with open(f'{folder}/{job}.json') as f:
        entries = json.load(f)
    return {name: np.fromfile(f'{folder}/{e["file"]}', dtype=e['dtype']).reshape(e['shape']) for name, e in entries.items()}


def clock(run, count):
    """Milliseconds of one run, of `count`."""
    begin = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - begin) * 1000 / count


def prepare(job, ways):
    """Of the ways to do a job, each a function of its data to first values and a run, the fastest; those that cannot are left out."""
    best, refusal = None, None
    for variant, start in ways.items():
        try:
            values, run = start(load(job))
            begin, runs = time.perf_counter(), 0
            while runs < 3 or time.perf_counter() - begin < WARM_UP:
                run()
                runs += 1
            count = max(1, math.ceil(SHORTEST / clock(run, max(1, min(runs, 20)))))
            spent = clock(run, count)
        except Exception as error:
            refusal = error
            continue
        if best is None or spent < best['spent']:
            best = dict(values=values, run=run, count=count, variant=variant, spent=spent)
    if best is None:
        raise refusal or RuntimeError('has no such job')
    return best


def serve(jobs, version):
    """Answers requests, a JSON object a line, until there are no more."""
    current = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request['ask'] == 'prepare':
                current = None
                current = prepare(request['job'], jobs.get(request['job'], {}))
                answer = dict(values=current['values'], variant=current['variant'], version=version)
            else:
                if current['count'] > 1:
                    clock(current['run'], current['count'])
                answer = dict(time=clock(current['run'], current['count']))
        except Exception as error:
            answer = dict(fail=str(error).split('\n')[0][:160])
        print(json.dumps(answer), flush=True)
