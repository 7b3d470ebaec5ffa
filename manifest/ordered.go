package manifest

import (
	"sync"
	"sync/atomic"
)

// ordered does a sequence of jobs on several goroutines. For each job take, work and commit are
// called with the number of the same worker; takes happen one at a time and in order, commits
// too, and work at any time between the two. It ends when take returns false or with the first
// error of a commit, behind which nothing is committed.
func ordered(workers int, take func(worker int) bool, work func(worker int), commit func(worker int) error) error {
	if workers <= 1 {
		for take(0) {
			work(0)
			if err := commit(0); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		mu     sync.Mutex // of take and turn
		wait   sync.WaitGroup
		failed atomic.Bool
		err    error
	)
	turn := make(chan struct{}) // closed when the job taken last has been committed
	close(turn)
	for w := range workers {
		wait.Go(func() {
			for {
				mu.Lock()
				if failed.Load() || !take(w) {
					mu.Unlock()
					return
				}
				mine, next := turn, make(chan struct{})
				turn = next
				mu.Unlock()
				work(w)
				<-mine
				if !failed.Load() {
					if e := commit(w); e != nil {
						err = e
						failed.Store(true)
					}
				}
				close(next)
			}
		})
	}
	wait.Wait()
	return err
}
