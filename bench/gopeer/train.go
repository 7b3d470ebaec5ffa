//go:build unix

package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/vf2prep/vf2prep/nn"
	"github.com/vf2prep/vf2prep/nn/kernel"
	"github.com/vf2prep/vf2prep/rng"
)

// train takes training steps as trainpeer.py does, with the same optimisers: two that do not
// count, then as many as fill SECONDS, two at least. With REPLICAS, each learns from its share of the
// batch. It prints the median milliseconds of a step,
// those of CPU time, and MiB of memory: before there was a network, and at its peak.
func train(args []string) error {
	replicas := 1
	if len(args) == 8 {
		var err error
		if replicas, err = strconv.Atoi(args[7]); err != nil || replicas < 1 {
			return fmt.Errorf("REPLICAS %q", args[7])
		}
		args = args[:7]
	}
	if err := want(args, 7); err != nil {
		return err
	}
	cfg := nn.Config{Arch: args[0], Channels: 3, Seed: 1, Dropout: 0.5} // of those that have it, as the peers
	for i, to := range []*int{&cfg.Height, &cfg.Width, &cfg.Classes, &cfg.Batch} {
		var err error
		if *to, err = strconv.Atoi(args[i+1]); err != nil {
			return err
		}
	}
	seconds, err := strconv.ParseFloat(args[6], 64)
	if err != nil {
		return err
	}
	start := peakMiB()
	cfg.Batch /= replicas
	n, err := nn.New(cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	crew := []*nn.Network{n}
	for len(crew) < replicas {
		crew = append(crew, n.Replica())
	}
	update, err := optimizer(args[5], n.Params())
	if err != nil {
		return err
	}
	r := rng.Stream(1, "bench")
	x, labels := make([]float32, cfg.Batch*3*cfg.Height*cfg.Width), make([]int32, cfg.Batch)
	for i := range x {
		x[i] = float32(r.Between(0, 1))
	}
	for i := range labels {
		labels[i] = int32(r.IntN(cfg.Classes))
	}
	var clock, cpu []float64 // of a step, in seconds
	for total := 0.0; len(clock) < 4 || total < seconds; {
		began, used := time.Now(), cpuSeconds()
		if err := step(crew, x, labels); err != nil {
			return err
		}
		update()
		clock = append(clock, time.Since(began).Seconds())
		cpu = append(cpu, cpuSeconds()-used)
		if len(clock) > 2 {
			total += clock[len(clock)-1]
		}
	}
	fmt.Println(median(clock[2:])*1e3, median(cpu[2:])*1e3, start, peakMiB())
	return nil
}

// step lets each of a crew learn from a batch, and gives the first the mean of their gradients.
func step(crew []*nn.Network, x []float32, labels []int32) error {
	failed := make([]error, len(crew))
	kernel.Parallel(len(crew), func(i int) { _, failed[i] = crew[i].Step(x, labels) })
	if len(crew) == 1 {
		return failed[0]
	}
	for _, r := range crew[1:] {
		crew[0].Absorb(r)
	}
	share := 1 / float32(len(crew))
	params := make([][]nn.Param, len(crew))
	for i, n := range crew {
		params[i] = n.Params()
	}
	kernel.Parallel(len(params[0]), func(k int) {
		grad := params[0][k].Grad
		for _, p := range params[1:] {
			for i, g := range p[k].Grad {
				grad[i] += g
			}
		}
		for i := range grad {
			grad[i] *= share
		}
	})
	return errors.Join(failed...)
}

// optimizer returns what moves the parameters by their gradients.
func optimizer(name string, params []nn.Param) (func(), error) {
	const rate = 0.001
	mu, decay := float32(0), float32(0)
	memory := func() [][]float32 {
		m := make([][]float32, len(params))
		for i, p := range params {
			m[i] = make([]float32, len(p.Data))
		}
		return m
	}
	switch name {
	case "adadelta":
		squares, updates := memory(), memory()
		return func() {
			for i, p := range params {
				kernel.Adadelta(p.Data, p.Grad, squares[i], updates[i], rate, 0.95, 0.05, 1e-7, 0)
			}
		}, nil
	case "momentum":
		mu, decay = 0.9, 5e-4
	case "sgd":
	default:
		return nil, fmt.Errorf("no optimizer %q", name)
	}
	velocity := make([][]float32, len(params)) // nil without momentum
	if mu != 0 {
		velocity = memory()
	}
	return func() {
		for i, p := range params {
			if p.Decay {
				kernel.Momentum(p.Data, p.Grad, velocity[i], rate, mu, decay)
			} else {
				kernel.Momentum(p.Data, p.Grad, velocity[i], rate, mu, 0)
			}
		}
	}, nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// peakMiB is the most memory that the process had resident so far.
func peakMiB() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024
}
