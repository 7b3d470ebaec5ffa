package shard

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Hints change nothing that is read, wherever they point.
func TestHintsChangeNothing(t *testing.T) {
	dir := t.TempDir()
	kept := write(t, dir, samples(23))
	set, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	p, err := set.Part("train")
	if err != nil {
		t.Fatal(err)
	}
	for i := -2; i < len(kept)+2; i++ {
		for _, n := range []int{-1, 0, 1, 7, 1000} {
			p.Prefetch(i, n)
			p.Release(i, n)
		}
		if p.Visited(i) {
			t.Errorf("sample %d was visited by a hint", i)
		}
		p.InMemory(i)
	}
	for i, want := range kept {
		p.Prefetch(i, 2)
		got, err := p.Sample(i)
		if err != nil {
			t.Fatal(err)
		}
		p.Release(i, 1)
		if !bytes.Equal(got.Data, want.Data) || got.Key != want.Key {
			t.Errorf("sample %d differs after hints", i)
		}
		if !p.Visited(i) || !p.InMemory(i) {
			t.Errorf("sample %d: visited %v, in memory %v, want both", i, p.Visited(i), p.InMemory(i))
		}
	}
}

func TestHintsOnADamagedShardAreSilent(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, samples(23))
	if err := os.Truncate(filepath.Join(dir, FileName("train", 1, 5)), 100); err != nil {
		t.Fatal(err)
	}
	set, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	p, _ := set.Part("train")
	p.Prefetch(0, p.Len())
	p.Release(0, p.Len())
	if p.Visited(6) || p.InMemory(6) {
		t.Error("a sample of a damaged shard was visited or is in memory")
	}
}
