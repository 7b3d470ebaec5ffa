package loader

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/vf2prep/vf2prep/augment"
	"github.com/vf2prep/vf2prep/shard"
)

// benchmarkSet returns the directory of the shard set in VF2PREP_SHARDS, which needs a part
// "train", or writes one of 8192 samples of 3x112x112 with 256 identities.
func benchmarkSet(b *testing.B) string {
	if dir := os.Getenv("VF2PREP_SHARDS"); dir != "" {
		return dir
	}
	const shards, per, identities = 8, 1024, 256
	dir := b.TempDir()
	shape := shard.Shape{3, 112, 112}
	part := shard.PartIndex{Planned: shards * per, Samples: shards * per}
	x := uint64(88172645463325252) // xorshift: pixels that no two pages share
	for i := range shards {
		w, err := shard.NewWriter(dir, "train", i, shards, shape, per, nil)
		if err != nil {
			b.Fatal(err)
		}
		for j := range per {
			pix := w.Buffer(j)
			for p := 0; p < len(pix); p += 8 {
				x ^= x << 13
				x ^= x >> 7
				x ^= x << 17
				binary.LittleEndian.PutUint64(pix[p:], x)
			}
			k := (i*per + j) * 7 % (shards * per)
			w.Put(j, shard.Sample{Key: fmt.Sprintf("n%06d/%04d_01", k%identities, k/identities), Label: int32(k % identities)})
		}
		info, err := w.Close()
		if err != nil {
			b.Fatal(err)
		}
		part.Shards = append(part.Shards, info)
	}
	index := shard.Index{Shape: shape, Channels: "rgb", RecipeText: []byte("{}"), Parts: map[string]shard.PartIndex{"train": part}}
	if err := shard.WriteIndex(dir, index); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkEpoch reads whole epochs in batches, half of the samples mirrored, with as many workers
// as -cpu gives. "warm" are epochs after a first one; "first" opens the set anew for each, so
// that every sample is mapped and its checksum is checked. samples/s is by the clock,
// samples/cpu-s by the processor time of all threads.
func BenchmarkEpoch(b *testing.B) {
	dir := benchmarkSet(b)
	flip, err := augment.Parse("flip=0.5")
	if err != nil {
		b.Fatal(err)
	}
	// VF2PREP_EVICT=1 takes the shards out of the system's cache before each "first" epoch.
	evict := os.Getenv("VF2PREP_EVICT") != ""
	for _, o := range []Options{
		{Sampler: Shuffled, Batch: 256},
		{Sampler: Shuffled, Batch: 32},
		{Sampler: Chunks, Batch: 256},
		{Sampler: Sequential, Batch: 256},
		{Sampler: Identity, Identities: 32, Images: 8},
	} {
		o.Seed, o.Augment, o.Train, o.Workers = 1, flip, true, runtime.GOMAXPROCS(0)
		name := fmt.Sprintf("%s/batch=%d", o.Sampler, max(o.Batch, o.Identities*o.Images))
		b.Run(name+"/warm", func(b *testing.B) {
			set, l := openBenchmark(b, dir, o)
			defer set.Close()
			n := pass(b, l, 0)
			epoch, cpu := 0, processorTime()
			for b.Loop() {
				epoch++
				n = pass(b, l, epoch)
			}
			report(b, n, processorTime()-cpu)
		})
		b.Run(name+"/first", func(b *testing.B) {
			n, cpu := 0, 0.0
			for b.Loop() {
				b.StopTimer()
				if evict {
					evictFiles(b, dir)
				}
				b.StartTimer()
				before := processorTime()
				set, l := openBenchmark(b, dir, o)
				n = pass(b, l, 0)
				set.Close()
				cpu += processorTime() - before
			}
			report(b, n, cpu)
		})
	}
}

func openBenchmark(b *testing.B, dir string, o Options) (*shard.Set, *Loader) {
	set, err := shard.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	l, err := New(set, "train", o)
	if err != nil {
		b.Fatal(err)
	}
	return set, l
}

func pass(b *testing.B, l *Loader, epoch int) (n int) {
	for batch, err := range l.Epoch(context.Background(), epoch, 0) {
		if err != nil {
			b.Fatal(err)
		}
		n += batch.N
	}
	if n != l.Len() {
		b.Fatalf("%d samples, want %d", n, l.Len())
	}
	return n
}

func report(b *testing.B, n int, cpu float64) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
	if cpu > 0 {
		b.ReportMetric(float64(n)*float64(b.N)/cpu, "samples/cpu-s")
	}
}
