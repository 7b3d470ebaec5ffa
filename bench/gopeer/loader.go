//go:build unix

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/loader"
	"github.com/vf2prep/vf2prep/shard"
)

// load reads shuffled, mirrored, normalised batches of 256 from the part train of a shard set,
// epoch after epoch. It reads WARM seconds that are not counted, then SECONDS that are, and prints
// the samples, the seconds and those of CPU time.
func load(args []string) error {
	if err := want(args, 3); err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(args[1], 64)
	if err != nil {
		return err
	}
	warm, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	set, err := shard.Open(args[0])
	if err != nil {
		return err
	}
	defer set.Close()
	flip, err := augment.Parse("flip=0.5")
	if err != nil {
		return err
	}
	l, err := loader.New(set, "train", loader.Options{Batch: 256, Seed: 1, Sampler: loader.Shuffled, Augment: flip, Train: true, Workers: cores()})
	if err != nil {
		return err
	}
	began := time.Now()
	var start time.Time // of what is counted
	samples, cpu := 0, 0.0
	for epoch := 0; ; epoch++ {
		for b, err := range l.Epoch(context.Background(), epoch, 0) {
			if err != nil {
				return err
			}
			switch {
			case !start.IsZero():
				samples += b.N
				if t := time.Since(start).Seconds(); t >= seconds {
					fmt.Println(samples, t, cpuSeconds()-cpu)
					return nil
				}
			case time.Since(began).Seconds() >= warm:
				start, cpu = time.Now(), cpuSeconds()
			}
		}
	}
}
