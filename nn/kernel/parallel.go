package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Parallel calls f(0) ... f(n-1), each once, on up to GOMAXPROCS goroutines, and returns when all
// are done. The order is not fixed, so each call must write places of its own.
func Parallel(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(i)
		}
	}
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// chunk is how many numbers an element-wise kernel gives a goroutine at a time: 64 KiB each of
// two inputs and an output stay in the second-level cache.
const chunk = 1 << 14

// pieces calls f on consecutive pieces [from, to) of [0, n).
func pieces(n int, f func(from, to int)) {
	Parallel((n+chunk-1)/chunk, func(i int) { f(i*chunk, min(n, (i+1)*chunk)) })
}
