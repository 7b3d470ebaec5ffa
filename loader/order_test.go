package loader

import (
	"errors"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/rng"
)

// layouts draws shards of so many samples, empty and single ones among them.
func layouts(t *testing.T, try func(r *rng.Rand, shards []int, n int)) {
	for i := range 300 {
		r := rng.Stream(1, "layout", i)
		shards := make([]int, r.IntN(8))
		n := 0
		for k := range shards {
			shards[k] = r.IntN(30) * r.IntN(2)
			n += shards[k]
		}
		try(r, shards, n)
	}
}

func isPermutation(order []int, n int) bool {
	sorted := slices.Sorted(slices.Values(order))
	return slices.Equal(sorted, sequential(n))
}

func TestCutCoversShardsInOrder(t *testing.T) {
	layouts(t, func(r *rng.Rand, shards []int, n int) {
		size := 1 + r.IntN(12)
		at, shard, end := 0, -1, 0
		for _, c := range cut(shards, size) {
			for at == end {
				shard++
				end += shards[shard]
			}
			if c.first != at || c.n < 1 || c.n > size || c.first+c.n > end || c.n < size && c.first+c.n < end {
				t.Fatalf("shards %v in %d: chunk %v at %d, its shard ends at %d", shards, size, c, at, end)
			}
			at += c.n
		}
		if at != n {
			t.Fatalf("shards %v in %d: chunks cover %d of %d", shards, size, at, n)
		}
	})
}

// Each sample comes once, no farther from its chunk's fellows than the window, and in an order
// that is a function of seed and epoch.
func TestChunksStayInTheirWindow(t *testing.T) {
	layouts(t, func(r *rng.Rand, shards []int, n int) {
		chunks, per, seed := cut(shards, 1+r.IntN(12)), 1+r.IntN(5), r.Uint64()
		ws := windows(chunks, per, seed, 3)
		order := mix(ws, seed, 3)
		if !isPermutation(order, n) {
			t.Fatalf("shards %v: order %v is no permutation of %d", shards, order, n)
		}
		if !slices.Equal(order, mix(windows(chunks, per, seed, 3), seed, 3)) {
			t.Fatal("the same seed and epoch give two orders")
		}
		at := 0
		for k, w := range ws {
			if len(w) > per || len(w) < per && k+1 < len(ws) {
				t.Fatalf("window %d of %d has %d chunks, want %d", k, len(ws), len(w), per)
			}
			want := []int{}
			for _, c := range w {
				for i := range c.n {
					want = append(want, c.first+i)
				}
			}
			got := slices.Sorted(slices.Values(order[at : at+len(want)]))
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Fatalf("window %d holds %v, want %v", k, got, want)
			}
			at += len(want)
		}
	})
	chunks := cut([]int{400, 400}, 10)
	a, b := mix(windows(chunks, 8, 1, 0), 1, 0), mix(windows(chunks, 8, 1, 1), 1, 1)
	if slices.Equal(a, b) || slices.Equal(a, mix(windows(chunks, 8, 2, 0), 2, 0)) || slices.IsSorted(a) {
		t.Error("epochs or seeds share an order")
	}
}

// Reading ahead asks for every chunk before its first use and holds two windows at most.
func TestWindowsAhead(t *testing.T) {
	layouts(t, func(r *rng.Rand, shards []int, n int) {
		ws := windows(cut(shards, 1+r.IntN(12)), 1+r.IntN(5), 1, 0)
		largest, begin, i := 0, 0, 0
		a := windowsAhead(ws)
		for _, w := range ws {
			size := 0
			for _, c := range w {
				size += c.n
			}
			largest = max(largest, size)
			for range w {
				if q := a.requests[i]; q.from > begin || q.end != begin+size {
					t.Fatalf("a request %+v of a window %d..%d", q, begin, begin+size)
				}
				i++
			}
			begin += size
		}
		if !slices.IsSortedFunc(a.requests, func(a, b request) int { return a.from - b.from }) {
			t.Fatal("requests are not in the order of their times")
		}
		for at := range n {
			held := 0
			for _, q := range a.requests {
				if q.from <= at && at < q.end {
					held += q.n
				}
			}
			if held > 2*largest {
				t.Fatalf("at %d of %d: %d samples are held, the largest window has %d", at, n, held, largest)
			}
		}
	})
}

// A run that goes on needs the very order that it began with: these never change.
func TestOrdersAreFixed(t *testing.T) {
	set, _ := newSet(t, 12)
	l, err := New(set, "train", Options{Batch: 5, Seed: 3, Sampler: Shuffled})
	if err != nil {
		t.Fatal(err)
	}
	shuffled, _ := l.order(2)
	for name, c := range map[Sampler]struct{ got, want []int }{
		Shuffled: {shuffled, []int{4, 2, 6, 9, 3, 7, 8, 10, 1, 5, 11, 0}},
		Chunks:   {mix(windows(cut([]int{7, 5}, 2), 3, 3, 2), 3, 2), []int{10, 8, 3, 7, 2, 9, 11, 1, 0, 5, 4, 6}},
		Identity: {
			group([]int32{0, 0, 0, 1, 1, -1, 2, 2, 2, 2, 3}).balanced(3, 2, 3, 2),
			[]int{10, 10, 2, 1, 7, 8, 4, 3, 9, 6, 0, 1},
		},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: order %v, want %v", name, c.got, c.want)
		}
	}
}

func TestBalancedBatches(t *testing.T) {
	for i := range 300 {
		r := rng.Stream(1, "people", i)
		var labels []int32
		sizes := map[int32]int{}
		for label := range int32(1 + r.IntN(12)) {
			n := r.IntN(12)
			if n > 0 {
				sizes[2*label] = n
			}
			for range n {
				labels = append(labels, 2*label)
			}
		}
		for range r.IntN(5) {
			labels = append(labels, -1)
		}
		r.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
		c := group(labels)
		if len(c.members) != len(sizes) {
			t.Fatalf("%d identities, want %d", len(c.members), len(sizes))
		}
		if len(sizes) == 0 {
			continue
		}
		p, k := 1+r.IntN(len(sizes)), 1+r.IntN(6)
		order := c.balanced(p, k, 5, i)
		if !slices.Equal(order, c.balanced(p, k, 5, i)) {
			t.Fatal("the same seed and epoch give two orders")
		}
		if len(order) != c.steps(p, k)*p*k || len(order) < c.n || len(order) >= c.n+p*k {
			t.Fatalf("%d samples an epoch of batches of %dx%d, %d have a label", len(order), p, k, c.n)
		}
		visits, used := map[int32]int{}, map[int]int{}
		for at := 0; at < len(order); at += p * k {
			met := map[int32]bool{}
			for g := at; g < at+p*k; g += k {
				label := labels[order[g]]
				if label < 0 || met[label] {
					t.Fatalf("a batch with label %d, twice %v", label, met[label])
				}
				met[label] = true
				visits[label]++
				times := map[int]int{}
				for _, s := range order[g : g+k] {
					if labels[s] != label {
						t.Fatalf("a sample of %d among those of %d", labels[s], label)
					}
					times[s]++
					used[s]++
				}
				n := sizes[label]
				for s, m := range times {
					if m > (k+n-1)/n {
						t.Fatalf("%d images of an identity with %d: sample %d comes %d times", k, n, s, m)
					}
				}
				if len(times) < min(k, n) {
					t.Fatalf("%d images of an identity with %d: %d different ones", k, n, len(times))
				}
			}
		}
		// All identities come equally often, to one; so do the images of one.
		least, most := len(order), 0
		for label := range sizes {
			least, most = min(least, visits[label]), max(most, visits[label])
		}
		if most-least > 1 {
			t.Fatalf("identities come %d to %d times an epoch", least, most)
		}
		for s, label := range labels {
			if n := sizes[label]; label >= 0 && n >= k && used[s] > visits[label]*k/n+1 {
				t.Fatalf("sample %d comes %d times of the %d images of its %d", s, used[s], visits[label]*k, n)
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	set, _ := newSet(t, 12)
	for name, o := range map[string]Options{
		"no batch":              {},
		"negative batch":        {Batch: -1},
		"unknown":               {Batch: 4, Sampler: "random"},
		"no images":             {Sampler: Identity, Identities: 3},
		"another batch":         {Sampler: Identity, Identities: 3, Images: 2, Batch: 7},
		"too large":             {Sampler: Identity, Identities: 1 << 40, Images: 1 << 40},
		"too many identities":   {Sampler: Identity, Identities: 13, Images: 1},
		"identities of another": {Sampler: Shuffled, Batch: 4, Identities: 3},
	} {
		if _, err := New(set, "train", o); !errors.Is(err, ErrOption) {
			t.Errorf("%s: error %v, want ErrOption", name, err)
		}
	}
	l, err := New(set, "train", Options{Sampler: Identity, Identities: 3, Images: 2})
	if err != nil {
		t.Fatal(err)
	}
	if l.Steps() != 2 || l.Len() != 12 {
		t.Errorf("%d steps of %d samples, want 2 of 12", l.Steps(), l.Len())
	}
}
