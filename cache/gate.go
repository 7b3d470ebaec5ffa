package cache

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// heavyBytes is what one photo may take without asking: all usual ones stay below.
const heavyBytes = 4 << 20

// gate holds back photos that take much memory while others of that kind are under way. A nil
// gate lets everything pass.
type gate struct {
	sem  *semaphore.Weighted
	size int64
}

func newGate(size int64) *gate { return &gate{semaphore.NewWeighted(size), size} }

// enter waits until there is room for n bytes, or for one photo alone that is larger than the
// gate, and returns what leave must be given. The error is the context's.
func (g *gate) enter(ctx context.Context, n int64) (int64, error) {
	if g == nil {
		return n, nil
	}
	n = min(n, g.size)
	return n, g.sem.Acquire(ctx, n)
}

func (g *gate) leave(n int64) {
	if g != nil {
		g.sem.Release(n)
	}
}
