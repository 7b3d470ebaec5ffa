//go:build unix

// Bench-go is the Go side of the benchmarks in bench/: it lists what the contestants work on,
// reads batches with package loader, trains with package nn, and prepares faces as Go programs did
// before vf2prep.
//
//	bench-go items MANIFEST ROOT             a line for each image, for the peers
//	bench-go imaging LIST PART PARTS IMAGES  image/jpeg and disintegration/imaging
//	bench-go loader SHARDS SECONDS WARM      vf2prep's loader, package loader
//	bench-go train ARCH HEIGHT WIDTH CLASSES BATCH OPTIMIZER SECONDS [REPLICAS]
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: bench-go items|imaging|loader|train ...")
		os.Exit(2)
	}
	verbs := map[string]func([]string) error{"items": items, "imaging": prepare, "loader": load, "train": train}
	verb, ok := verbs[os.Args[1]]
	if !ok {
		fmt.Fprintf(os.Stderr, "bench-go: no verb %q\n", os.Args[1])
		os.Exit(2)
	}
	if err := verb(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-go:", err)
		os.Exit(1)
	}
}

// want checks the number of arguments.
func want(args []string, n int) error {
	if len(args) != n {
		return fmt.Errorf("%d arguments, want %d", len(args), n)
	}
	return nil
}

// cores is how many CPUs the process may use; taskset decides.
func cores() int { return runtime.GOMAXPROCS(0) }

// cpuSeconds is the CPU time that the process has taken so far.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
