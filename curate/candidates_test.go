package curate

import (
	"context"
	"fmt"
	"image"
	"math/bits"
	"slices"
	"testing"

	"github.com/vf2prep/vf2prep/cache"
	"github.com/vf2prep/vf2prep/internal/progress"
	"github.com/vf2prep/vf2prep/rng"
)

// drawnPictures are pictures with hashes of the test's choice.
type drawnPictures struct {
	thumbs []thumb
	hashed
}

func (p *drawnPictures) inputs() map[string]string     { return nil }
func (p *drawnPictures) anonymous() bool               { return false }
func (p *drawnPictures) len() int                      { return len(p.thumbs) }
func (p *drawnPictures) key(i int) string              { return fmt.Sprintf("n%06d/%04d_01", i%3+1, i) }
func (p *drawnPictures) part(i int) string             { return "train" }
func (p *drawnPictures) pixels(int) int                { return 0 }
func (p *drawnPictures) id(i int) uint64               { return uint64(i) }
func (p *drawnPictures) show(int) (image.Image, error) { return nil, nil }
func (p *drawnPictures) close()                        {}
func (p *drawnPictures) shrink(i int, t *thumb) (uint64, error) {
	if p.bad(i) {
		return 0, rejection(stageRead, "gone", "")
	}
	*t = p.thumbs[i]
	return p.exact[i], nil
}

func (p *drawnPictures) add(t thumb, near, exact uint64) {
	p.thumbs, p.near, p.exact = append(p.thumbs, t), append(p.near, near), append(p.exact, exact)
}

func noRejects() hashed { return hashed{rejected: map[int]cache.Rejection{}} }

// scenes draws n images: few hashes with many images each, of few scenes, some of them copies.
func scenes(r *rng.Rand, n int) *drawnPictures {
	p := &drawnPictures{hashed: noRejects()}
	var scene [30]thumb
	for i := range scene {
		for k := range scene[i] {
			scene[i][k] = uint8(r.Uint64())
		}
	}
	centre := r.Uint64()
	for i := range n {
		s := r.IntN(len(scene))
		hash := centre
		if s%3 == 1 {
			hash ^= 0b110 // near the first
		} else if s%3 == 2 {
			hash = ^centre
		}
		t := scene[s]
		if last := len(p.thumbs) - 1; last >= 0 && r.Bool(0.2) { // a copy
			k := r.IntN(last + 1)
			p.add(p.thumbs[k], p.near[k], p.exact[k])
			continue
		}
		for range 20 {
			t[r.IntN(len(t))] ^= 3
		}
		p.add(t, hash, uint64(i)+1000)
	}
	return p
}

// groupsOf are what pairs connect, by the least place.
func groupsOf(n int, pairs func(join func(a, b int))) []int {
	least := make([]int, n)
	for i := range least {
		least[i] = i
	}
	find := func(i int) int {
		for least[i] != i {
			i = least[i]
		}
		return i
	}
	pairs(func(a, b int) {
		a, b = find(a), find(b)
		least[max(a, b)] = min(a, b)
	})
	for i := range least {
		least[i] = find(i)
	}
	return least
}

// All with all is the twin. In a crowd not every pair is listed, but what is one image is one group, and of two sets
// every image of the first that the second has too is named.
func TestFinderIsBruteForce(t *testing.T) {
	for round := range 6 {
		r := rng.Stream(uint64(round), "finder")
		n := []int{12, 60, 240}[round%3]
		p := scenes(r, n)
		for _, border := range []int{0, n / 3} {
			f := &finder{list: p, h: &p.hashed, border: border, distance: 4, difference: 12, progress: progress.Or(nil)}
			if err := f.find(context.Background()); err != nil {
				t.Fatal(err)
			}
			same := func(a, b int) bool {
				if border > 0 && (a >= border || b < border) {
					return false
				}
				return p.exact[a] == p.exact[b] || bits.OnesCount64(p.near[a]^p.near[b]) <= 4 && difference(&p.thumbs[a], &p.thumbs[b]) <= 12
			}
			shared, found := make([]bool, n), make([]bool, n)
			want := groupsOf(n, func(join func(a, b int)) {
				for a := range n {
					for b := a + 1; b < n; b++ {
						if same(a, b) {
							shared[a] = true
							join(a, b)
						}
					}
				}
			})
			seen := map[[2]int]bool{}
			got := groupsOf(n, func(join func(a, b int)) {
				for _, x := range f.found {
					if !same(x.a, x.b) || seen[[2]int{x.a, x.b}] || (x.Kind == Exact) != (p.exact[x.a] == p.exact[x.b]) {
						t.Fatalf("round %d, border %d: %+v is no pair, or comes again", round, border, x)
					}
					seen[[2]int{x.a, x.b}], found[x.a] = true, true
					join(x.a, x.b)
				}
			})
			if border == 0 && !slices.Equal(got, want) {
				t.Errorf("round %d: groups %d, want %d", round, got, want)
			}
			if border > 0 && !slices.Equal(found, shared) {
				t.Errorf("round %d: images of the second set too: %v, want %v", round, found, shared)
			}
			if len(f.found) > 17*n {
				t.Errorf("round %d: %d pairs of %d images", round, len(f.found), n)
			}
			if f.crowded != 0 {
				t.Errorf("round %d: %d images are crowded out, by 30 scenes", round, f.crowded)
			}
		}
	}
}

// Where a hash says nothing, what was not compared is counted, and copies are found all the same.
func TestCrowdedIsCounted(t *testing.T) {
	r := rng.Stream(1, "crowded")
	p := &drawnPictures{hashed: noRejects()}
	for i := range 200 {
		var one thumb
		for k := range one {
			one[k] = uint8(r.Uint64())
		}
		p.add(one, 5, uint64(i))
	}
	p.add(p.thumbs[150], 5, 150)
	p.add(p.thumbs[199], 5, 199)
	for _, border := range []int{0, 100} {
		f := &finder{list: p, h: &p.hashed, border: border, distance: 4, difference: 12, progress: progress.Or(nil)}
		if err := f.find(context.Background()); err != nil {
			t.Fatal(err)
		}
		want := []string{"n000001/0150_01 n000003/0200_01", "n000002/0199_01 n000001/0201_01"}
		crowded := 200 - mostLeaders
		if border > 0 {
			want, crowded = nil, 100-mostLeaders+100
		}
		var got []string
		for _, x := range f.found {
			got = append(got, x.A+" "+x.B)
		}
		if !slices.Equal(got, want) || f.crowded != crowded {
			t.Errorf("border %d: %q, %d crowded, want %q, %d", border, got, f.crowded, want, crowded)
		}
	}
}

// An image that goes between hashing and comparing is a reject, and its pairs are none.
func TestGoneBeforeCompared(t *testing.T) {
	p := scenes(rng.Stream(1, "gone"), 10)
	for i := range p.near {
		p.thumbs[i], p.near[i], p.exact[i] = p.thumbs[0], 9, uint64(i)
	}
	h := p.hashed
	h.rejected = noRejects().rejected
	p.rejected[3] = cache.Rejection{}
	f := &finder{list: p, h: &h, distance: 4, difference: 12, progress: progress.Or(nil)}
	if err := f.find(context.Background()); err != nil || len(f.found) != 9*8/2 || !h.bad(3) || len(h.rejected) != 1 {
		t.Errorf("%d pairs, rejects %v, %v, want 36 and image 3", len(f.found), h.rejected, err)
	}
}
